import com.tencent.kona.KonaProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Provider;
import java.security.Security;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;

/**
 * Kona's end: TLCP 1.1, and TLS 1.3 with the suite of RFC 8998 that it has.
 *
 * <p>--identity is a folder of sign.pem and sign.key, for TLCP also of enc.pem and enc.key.
 */
public final class KonaPeer extends Peer {
  private static final char[] PASSWORD = "of a store in memory".toCharArray();
  private final Provider provider;

  private KonaPeer(Map<String, String> options, Provider provider) {
    super(options, provider, provider);
    this.provider = provider;
  }

  public static void main(String[] arguments) throws Exception {
    Provider provider = new KonaProvider();
    Security.insertProviderAt(provider, 1);
    new KonaPeer(options(arguments), provider).run();
  }

  @Override
  String nameOf(String suite) {
    return suite.replaceFirst("^TLCP_", "");
  }

  @Override
  KeyManager[] keys(String identity) throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance("PKCS12", provider);
    store.load(null, null);
    for (String kind : new String[] {"sign", "enc"}) {
      Path base = Path.of(identity, kind);
      if (Files.exists(Path.of(base + ".key"))) {
        store.setKeyEntry(kind, key(base + ".key"), PASSWORD, certificates(base + ".pem"));
      }
    }
    KeyManagerFactory factory = KeyManagerFactory.getInstance("NewSunX509", provider);
    factory.init(store, PASSWORD);
    return factory.getKeyManagers();
  }
}
