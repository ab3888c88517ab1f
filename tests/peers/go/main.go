// Command peer is one end of TLCP connections, spoken by gotlcp.
//
// It prints one JSON line for the port it listens on, if it is a server, and one for each
// connection. A server sends back what it reads; a client checks that it gets back what it sent.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gitee.com/Trisia/gotlcp/tlcp"
	"github.com/emmansun/gmsm/smx509"
)

// Padding has many lengths, and the last message needs more than one record.
var sizes = []int{1, 15, 16, 17, 40000}

// Each connection has so long in all.
const patience = 20 * time.Second

type settings struct {
	role, name, suite  string
	identity, roots    string
	clientAuth, prefix bool
	port, connections  int
	now                int64
}

type report struct {
	Suite   string `json:"suite"`
	Resumed bool   `json:"resumed"`
	Peer    int    `json:"peer_certificates"`
	Bytes   int    `json:"bytes"`
	Error   string `json:"error"`
}

func main() {
	s := parse()
	config, err := s.config()
	if err == nil && s.role == "server" {
		err = serve(s, config)
	} else if err == nil {
		err = dial(s, config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse() settings {
	var s settings
	flag.StringVar(&s.role, "role", "client", "client or server")
	flag.IntVar(&s.port, "port", 0, "port of 127.0.0.1 to connect to; a server takes a free one")
	flag.StringVar(&s.name, "name", "", "whom the server's certificate must name")
	flag.StringVar(&s.suite, "suite", "ECC_SM4_GCM_SM3", "name of the one cipher suite")
	flag.StringVar(&s.identity, "identity", "", "folder of sign.pem, sign.key, enc.pem, enc.key")
	flag.StringVar(&s.roots, "roots", "", "PEM file of the roots that are trusted")
	flag.BoolVar(&s.clientAuth, "client-auth", false, "demand the client's certificates")
	flag.BoolVar(&s.prefix, "prefix", false, "put a length before the client's ECDHE point")
	flag.IntVar(&s.connections, "connections", 1, "how many, one after the other, sharing sessions")
	flag.Int64Var(&s.now, "now", 0, "time for checking certificates, in seconds since 1970")
	flag.Parse()
	return s
}

func (s settings) config() (*tlcp.Config, error) {
	suite, err := code(s.suite)
	if err != nil {
		return nil, err
	}
	roots, err := s.pool()
	if err != nil {
		return nil, err
	}
	config := &tlcp.Config{
		CipherSuites:              []uint16{suite},
		RootCAs:                   roots,
		ClientCAs:                 roots,
		ServerName:                s.name,
		SessionCache:              tlcp.NewLRUSessionCache(8),
		ClientECDHEParamsAsVector: s.prefix,
	}
	if s.now != 0 {
		config.Time = func() time.Time { return time.Unix(s.now, 0) }
	}
	if s.clientAuth {
		config.ClientAuth = tlcp.RequireAndVerifyClientCert
	}
	if s.identity == "" {
		return config, nil
	}
	for _, kind := range []string{"sign", "enc"} {
		base := filepath.Join(s.identity, kind)
		certificate, err := tlcp.LoadX509KeyPair(base+".pem", base+".key")
		if err != nil {
			return nil, err
		}
		config.Certificates = append(config.Certificates, certificate)
	}
	return config, nil
}

func code(name string) (uint16, error) {
	for _, suite := range tlcp.CipherSuites() {
		if suite.Name == name {
			return suite.ID, nil
		}
	}
	return 0, fmt.Errorf("no cipher suite %s", name)
}

func (s settings) pool() (*smx509.CertPool, error) {
	text, err := os.ReadFile(s.roots)
	if err != nil {
		return nil, err
	}
	pool := smx509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("no certificate in %s", s.roots)
	}
	return pool, nil
}

func serve(s settings, config *tlcp.Config) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	for range s.connections {
		raw, err := listener.Accept()
		if err != nil {
			return err
		}
		speak(tlcp.Server(raw, config), raw, echo)
	}
	return nil
}

func dial(s settings, config *tlcp.Config) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	for range s.connections {
		raw, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return err
		}
		speak(tlcp.Client(raw, config), raw, exchange)
	}
	return nil
}

func speak(conn *tlcp.Conn, raw net.Conn, talk func(io.ReadWriter) (int, error)) {
	defer conn.Close()
	var result report
	err := raw.SetDeadline(time.Now().Add(patience))
	if err == nil {
		err = conn.Handshake()
	}
	if err == nil {
		state := conn.ConnectionState()
		result.Suite = tlcp.CipherSuiteName(state.CipherSuite)
		result.Resumed = state.DidResume
		result.Peer = len(state.PeerCertificates)
		result.Bytes, err = talk(conn)
	}
	if err != nil {
		result.Error = err.Error()
	}
	say(result)
}

func echo(conn io.ReadWriter) (int, error) {
	total, buffer := 0, make([]byte, 16384)
	for {
		count, err := conn.Read(buffer)
		if count > 0 {
			total += count
			if _, err := conn.Write(buffer[:count]); err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func exchange(conn io.ReadWriter) (int, error) {
	total := 0
	for number, size := range sizes {
		sent := bytes.Repeat([]byte{byte('a' + number)}, size)
		if _, err := conn.Write(sent); err != nil {
			return total, err
		}
		received := make([]byte, size)
		if _, err := io.ReadFull(conn, received); err != nil {
			return total, err
		}
		if !bytes.Equal(sent, received) {
			return total, errors.New("other data came back")
		}
		total += size
	}
	return total, nil
}

func say(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
