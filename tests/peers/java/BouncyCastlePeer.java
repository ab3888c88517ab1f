import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.logging.LogManager;
import javax.net.ssl.KeyManager;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.BCX509ExtendedKeyManager;
import org.bouncycastle.jsse.BCX509Key;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;

/**
 * Bouncy Castle's end: TLS 1.3 with the suites of RFC 8998.
 *
 * <p>Its own option is --groups; --identity is a folder of sign.pem and sign.key.
 */
public final class BouncyCastlePeer extends Peer {

  private BouncyCastlePeer(Map<String, String> options, Provider ciphers, Provider transport) {
    super(options, ciphers, transport);
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = options(arguments);
    LogManager.getLogManager().reset();
    System.setProperty("jdk.tls.namedGroups", options.getOrDefault("groups", "curveSM2"));
    System.setProperty("jdk.tls.client.SignatureSchemes", "sm2sig_sm3");
    System.setProperty("jdk.tls.server.SignatureSchemes", "sm2sig_sm3");
    Provider ciphers = new BouncyCastleProvider();
    Provider transport = new BouncyCastleJsseProvider(ciphers);
    Security.insertProviderAt(ciphers, 1);
    Security.insertProviderAt(transport, 2);
    new BouncyCastlePeer(options, ciphers, transport).run();
  }

  @Override
  KeyManager[] keys(String identity) throws GeneralSecurityException, IOException {
    return new KeyManager[] {
      new OneIdentity(key(identity + "/sign.key"), certificates(identity + "/sign.pem"))
    };
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
