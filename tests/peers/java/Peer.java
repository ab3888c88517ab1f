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
import java.security.PrivateKey;
import java.security.Provider;
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
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/**
 * One end of connections, spoken by whichever stack a subclass brings.
 *
 * <p>It prints one JSON line for the port it listens on, if it is a server, and one for each
 * connection. A server sends back what it reads; a client checks that it gets back what it sent.
 * Options: --role, --protocol, --port, --name, --suite, --identity (a folder), --roots,
 * --client-auth, --connections, --now (seconds since 1970), and those of the stack.
 */
abstract class Peer {
  private static final int[] SIZES = {1, 15, 16, 17, 40000};
  private static final int PATIENCE_MILLISECONDS = 60000;

  private final Map<String, String> options;
  private final Provider certificates;
  private final Provider transport;

  /** Leaves what concerns certificates and keys to one provider, connections to the other. */
  Peer(Map<String, String> options, Provider certificates, Provider transport) {
    this.options = options;
    this.certificates = certificates;
    this.transport = transport;
  }

  /** Gives what the peer shows of itself; {@code identity} is the option. */
  abstract KeyManager[] keys(String identity) throws GeneralSecurityException, IOException;

  /** Gives the standard's name for what the stack calls a suite. */
  String nameOf(String suite) {
    return suite;
  }

  static Map<String, String> options(String[] arguments) {
    Map<String, String> options = new HashMap<>();
    for (String argument : arguments) {
      String[] pair = argument.substring(2).split("=", 2);
      options.put(pair[0], pair[1]);
    }
    return options;
  }

  final void run() throws GeneralSecurityException, IOException {
    String identity = options.get("identity");
    KeyManager[] keys = identity == null ? new KeyManager[0] : keys(identity);
    SSLContext context = SSLContext.getInstance(options.get("protocol"), transport);
    context.init(keys, roots(), null);
    if (options.get("role").equals("server")) {
      serve(context);
    } else {
      dial(context);
    }
  }

  private int count() {
    return Integer.parseInt(options.getOrDefault("connections", "1"));
  }

  private void serve(SSLContext context) throws IOException {
    try (ServerSocket listener = new ServerSocket(0, 8, InetAddress.getLoopbackAddress())) {
      System.out.println("{\"port\": " + listener.getLocalPort() + "}");
      for (int i = 0; i < count(); i++) {
        Socket raw = listener.accept();
        raw.setSoTimeout(PATIENCE_MILLISECONDS);
        speak(context, raw, false);
      }
    }
  }

  private void dial(SSLContext context) throws IOException {
    int port = Integer.parseInt(options.get("port"));
    for (int i = 0; i < count(); i++) {
      Socket raw = new Socket();
      raw.setSoTimeout(PATIENCE_MILLISECONDS);
      raw.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      speak(context, raw, true);
    }
  }

  private void speak(SSLContext context, Socket raw, boolean isClient) throws IOException {
    String name = options.getOrDefault("name", "localhost");
    long start = System.currentTimeMillis();
    int bytes = 0;
    String settled = "";
    String error = "";
    try (SSLSocket secure =
        (SSLSocket) context.getSocketFactory().createSocket(raw, name, raw.getPort(), true)) {
      secure.setUseClientMode(isClient);
      secure.setSSLParameters(parameters(name, isClient));
      secure.startHandshake();
      settled = settled(secure, start);
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
    parameters.setProtocols(new String[] {options.get("protocol")});
    parameters.setCipherSuites(new String[] {options.get("suite")});
    if (isClient) {
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      parameters.setServerNames(List.of(new SNIHostName(name)));
    } else {
      parameters.setNeedClientAuth(Boolean.parseBoolean(options.get("client-auth")));
    }
    return parameters;
  }

  private String settled(SSLSocket secure, long start) {
    int shown = 0;
    try {
      shown = secure.getSession().getPeerCertificates().length;
    } catch (SSLPeerUnverifiedException none) {
      // The peer showed no certificate: there are none to count.
    }
    String suite = nameOf(secure.getSession().getCipherSuite());
    boolean isResumed = secure.getSession().getCreationTime() < start;
    return String.format(
        "\"suite\": \"%s\", \"resumed\": %b, \"peer_certificates\": %d, ", suite, isResumed, shown);
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

  private TrustManager[] roots() throws GeneralSecurityException, IOException {
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

  final X509Certificate[] certificates(String file) throws GeneralSecurityException, IOException {
    InputStream text = new ByteArrayInputStream(Files.readAllBytes(Path.of(file)));
    return CertificateFactory.getInstance("X.509", certificates).generateCertificates(text).stream()
        .map(X509Certificate.class::cast)
        .toArray(X509Certificate[]::new);
  }

  final PrivateKey key(String file) throws GeneralSecurityException, IOException {
    String text = Files.readString(Path.of(file)).replaceAll("-----[^-]+-----|\\s", "");
    byte[] encoded = Base64.getDecoder().decode(text);
    return KeyFactory.getInstance("EC", certificates)
        .generatePrivate(new PKCS8EncodedKeySpec(encoded));
  }
}
