import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.logging.LogManager;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.BCX509ExtendedKeyManager;
import org.bouncycastle.jsse.BCX509Key;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;

/**
 * One end of TLS 1.3 connections with the suites of RFC 8998, spoken by Bouncy Castle.
 *
 * <p>It prints one JSON line for the port it listens on, if it is a server, and one for each
 * connection. A server sends back what it reads; a client checks that it gets back what it sent.
 * Options: --role, --port, --name, --suite, --identity (a file name without .pem and .key),
 * --roots, --groups, --client-auth, --connections, --now (seconds since 1970).
 */
public final class Peer {
  private static final int[] SIZES = {1, 15, 16, 17, 40000};
  private static final int PATIENCE_MILLISECONDS = 60000;

  private final Map<String, String> options;
  private final SSLContext context;

  private Peer(Map<String, String> options) throws GeneralSecurityException, IOException {
    this.options = options;
    Provider ciphers = new BouncyCastleProvider();
    Provider transport = new BouncyCastleJsseProvider(ciphers);
    Security.insertProviderAt(ciphers, 1);
    Security.insertProviderAt(transport, 2);
    context = SSLContext.getInstance("TLS", transport);
    context.init(keys(), roots(transport), null);
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (String argument : arguments) {
      String[] pair = argument.substring(2).split("=", 2);
      options.put(pair[0], pair[1]);
    }
    LogManager.getLogManager().reset();
    System.setProperty("jdk.tls.namedGroups", options.getOrDefault("groups", "curveSM2"));
    System.setProperty("jdk.tls.client.SignatureSchemes", "sm2sig_sm3");
    System.setProperty("jdk.tls.server.SignatureSchemes", "sm2sig_sm3");
    Peer peer = new Peer(options);
    if (options.get("role").equals("server")) {
      peer.serve();
    } else {
      peer.dial();
    }
  }

  private int count() {
    return Integer.parseInt(options.getOrDefault("connections", "1"));
  }

  private void serve() throws IOException {
    try (ServerSocket listener = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
      System.out.println("{\"port\": " + listener.getLocalPort() + "}");
      for (int i = 0; i < count(); i++) {
        Socket raw = listener.accept();
        raw.setSoTimeout(PATIENCE_MILLISECONDS);
        speak(raw, false);
      }
    }
  }

  private void dial() throws IOException {
    int port = Integer.parseInt(options.get("port"));
    for (int i = 0; i < count(); i++) {
      Socket raw = new Socket();
      raw.setSoTimeout(PATIENCE_MILLISECONDS);
      raw.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      speak(raw, true);
    }
  }

  private void speak(Socket raw, boolean isClient) throws IOException {
    String name = options.getOrDefault("name", "localhost");
    int bytes = 0;
    String settled = "";
    String error = "";
    try (SSLSocket secure =
        (SSLSocket) context.getSocketFactory().createSocket(raw, name, raw.getPort(), true)) {
      secure.setUseClientMode(isClient);
      secure.setSSLParameters(parameters(name, isClient));
      secure.startHandshake();
      settled = settled(secure);
      bytes = isClient ? exchange(secure) : echo(secure);
    } catch (IOException | RuntimeException failure) {
      error = String.valueOf(failure).replaceAll("[^ -~]|[\"\\\\]", " ");
    } finally {
      raw.close();
    }
    System.out.println(
        "{" + settled + "\"bytes\": " + bytes + ", \"error\": \"" + error + "\"}");
  }

  private SSLParameters parameters(String name, boolean isClient) {
    SSLParameters parameters = new SSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    parameters.setCipherSuites(new String[] {options.get("suite")});
    if (isClient) {
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      parameters.setServerNames(List.of(new SNIHostName(name)));
    } else {
      parameters.setNeedClientAuth(Boolean.parseBoolean(options.get("client-auth")));
    }
    return parameters;
  }

  private static String settled(SSLSocket secure) {
    int certificates = 0;
    try {
      certificates = secure.getSession().getPeerCertificates().length;
    } catch (SSLPeerUnverifiedException none) {
      // The peer showed no certificate: there are none to count.
    }
    String suite = secure.getSession().getCipherSuite();
    return "\"suite\": \"" + suite + "\", \"peer_certificates\": " + certificates + ", ";
  }

  private static int echo(Socket secure) throws IOException {
    InputStream input = secure.getInputStream();
    byte[] buffer = new byte[16384];
    int total = 0;
    for (int size = input.read(buffer); size >= 0; size = input.read(buffer)) {
      secure.getOutputStream().write(buffer, 0, size);
      total += size;
    }
    return total;
  }

  private static int exchange(Socket secure) throws IOException {
    int total = 0;
    for (int size : SIZES) {
      byte[] sent = new byte[size];
      Arrays.fill(sent, (byte) size);
      secure.getOutputStream().write(sent);
      if (!Arrays.equals(sent, secure.getInputStream().readNBytes(size))) {
        throw new IOException("other data came back");
      }
      total += size;
    }
    return total;
  }

  private TrustManager[] roots(Provider transport) throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    for (X509Certificate root : certificates(options.get("roots"))) {
      store.setCertificateEntry(root.getSerialNumber().toString(), root);
    }
    PKIXBuilderParameters rules = new PKIXBuilderParameters(store, new X509CertSelector());
    rules.setRevocationEnabled(false);
    rules.setDate(Date.from(Instant.ofEpochSecond(Long.parseLong(options.get("now")))));
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX", transport);
    factory.init(new CertPathTrustManagerParameters(rules));
    return factory.getTrustManagers();
  }

  private KeyManager[] keys() throws GeneralSecurityException, IOException {
    String identity = options.get("identity");
    if (identity == null) {
      return new KeyManager[0];
    }
    String text =
        Files.readString(Path.of(identity + ".key")).replaceAll("-----[^-]+-----|\\s", "");
    byte[] encoded = Base64.getDecoder().decode(text);
    PrivateKey key =
        KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(encoded));
    return new KeyManager[] {new OneIdentity(key, certificates(identity + ".pem"))};
  }

  private static X509Certificate[] certificates(String file)
      throws GeneralSecurityException, IOException {
    InputStream text = new ByteArrayInputStream(Files.readAllBytes(Path.of(file)));
    return CertificateFactory.getInstance("X.509", "BC").generateCertificates(text).stream()
        .map(X509Certificate.class::cast)
        .toArray(X509Certificate[]::new);
  }

  /** Gives its one identity to whoever asks: the library's own manager passes over SM2 keys. */
  private static final class OneIdentity extends BCX509ExtendedKeyManager {
    private static final String ALIAS = "identity";
    private final PrivateKey key;
    private final X509Certificate[] chain;

    OneIdentity(PrivateKey key, X509Certificate[] chain) {
      this.key = key;
      this.chain = chain;
    }

    @Override
    public BCX509Key chooseClientKeyBC(String[] types, Principal[] issuers, Socket socket) {
      return getKeyBC(types[0], ALIAS);
    }

    @Override
    public BCX509Key chooseServerKeyBC(String[] types, Principal[] issuers, Socket socket) {
      return getKeyBC(types[0], ALIAS);
    }

    @Override
    protected BCX509Key getKeyBC(String type, String alias) {
      return new BCX509Key() {
        @Override
        public X509Certificate[] getCertificateChain() {
          return chain.clone();
        }

        @Override
        public String getKeyType() {
          return type;
        }

        @Override
        public PrivateKey getPrivateKey() {
          return key;
        }
      };
    }

    @Override
    public String[] getClientAliases(String type, Principal[] issuers) {
      return new String[] {ALIAS};
    }

    @Override
    public String[] getServerAliases(String type, Principal[] issuers) {
      return new String[] {ALIAS};
    }

    @Override
    public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
      return ALIAS;
    }

    @Override
    public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
      return ALIAS;
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return chain.clone();
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
      return key;
    }
  }
}
