// Command gmsm is a contestant of benchmarks/primitives.py: it reads "WORK SECONDS" and answers
// with calls in a second of CPU time, or "-" for work that it does not know.
package main

import (
	"bufio"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

func main() {
	fmt.Println("gmsm v0.44.0")
	lines := bufio.NewScanner(os.Stdin)
	current, call := "", func() {}
	for lines.Scan() {
		work, text, _ := strings.Cut(lines.Text(), " ")
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			seconds = 0.1
		}
		if work != current {
			current, call = work, named(work)
		}
		if call == nil {
			fmt.Println("-")
			continue
		}
		fmt.Println(callsPerSecond(call, seconds))
	}
}

func callsPerSecond(call func(), wanted float64) float64 {
	for count := 1; ; {
		start := spentUntilNow()
		for range count {
			call()
		}
		spent := (spentUntilNow() - start).Seconds()
		if spent >= wanted/2 {
			return float64(count) / spent
		}
		count = int(float64(count)*min(10, max(1.5, wanted/max(spent, 1e-9)))) + 1
	}
}

func spentUntilNow() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func named(work string) func() {
	name, text, _ := strings.Cut(work, "/")
	size, _ := strconv.Atoi(text)
	if call := ofSm2(name); call != nil {
		return call
	}
	return ofCiphers(name, make([]byte, size))
}

func ofSm2(name string) func() {
	key := must(sm2.GenerateKey(rand.Reader))
	digest := make([]byte, 32)
	switch name {
	case "sm2-keygen":
		return func() { must(sm2.GenerateKey(rand.Reader)) }
	case "sm2-sign":
		return func() { must(key.Sign(rand.Reader, digest, nil)) }
	case "sm2-verify":
		signature := must(key.Sign(rand.Reader, digest, nil))
		return func() {
			if !sm2.VerifyASN1((*ecdsa.PublicKey)(&key.PublicKey), digest, signature) {
				panic("does not verify")
			}
		}
	case "sm2-ecdh":
		private := must(ecdh.P256().GenerateKey(rand.Reader))
		public := must(ecdh.P256().GenerateKey(rand.Reader)).PublicKey()
		return func() { must(private.ECDH(public)) }
	case "sm2-encrypt":
		return func() { must(sm2.EncryptASN1(rand.Reader, &key.PublicKey, digest)) }
	case "sm2-decrypt":
		sealed := must(sm2.EncryptASN1(rand.Reader, &key.PublicKey, digest))
		return func() { must(key.Decrypt(rand.Reader, sealed, nil)) }
	}
	return nil
}

func ofCiphers(name string, data []byte) func() {
	block := must(sm4.NewCipher(make([]byte, 16)))
	iv, out := make([]byte, 16), make([]byte, len(data)+16)
	switch name {
	case "sm3":
		return func() { sm3.Sum(data) }
	case "sm4-gcm":
		gcm, aad := must(cipher.NewGCM(block)), make([]byte, 13)
		return func() { gcm.Seal(out[:0], iv[:12], data, aad) }
	case "sm4-ctr":
		return func() { cipher.NewCTR(block, iv).XORKeyStream(out[:len(data)], data) }
	case "sm4-cbc-decrypt":
		return func() { cipher.NewCBCDecrypter(block, iv).CryptBlocks(out[:len(data)], data) }
	}
	return nil
}
