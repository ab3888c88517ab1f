/* The system's OpenSSL as a contestant of benchmarks/primitives.py. OpenSSL 3.0 has no GCM for SM4. */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "contestant.h"

static EVP_CIPHER_CTX *cipher;
static EVP_PKEY *pair;
static EVP_PKEY_CTX *signing, *verifying, *encrypting, *decrypting;
static unsigned char signature[80], sealed[160];
static size_t signature_length, sealed_length;

static void must(int done)
{
    if (done != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static void sm3(void) { must(EVP_Digest(data, size, out, NULL, EVP_sm3(), NULL)); }

static void ctr(void)
{
    int length;
    must(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv));
    must(EVP_EncryptUpdate(cipher, out, &length, data, (int)size));
}

static void cbc_decrypt(void)
{
    int length;
    must(EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, iv));
    must(EVP_DecryptUpdate(cipher, out, &length, data, (int)size));
}

static void keygen(void) { EVP_PKEY_free(EVP_PKEY_Q_keygen(NULL, NULL, "SM2")); }

static void sign(void)
{
    signature_length = sizeof signature;
    must(EVP_PKEY_sign(signing, signature, &signature_length, digest, sizeof digest));
}

static void verify(void)
{
    must(EVP_PKEY_verify(verifying, signature, signature_length, digest, sizeof digest));
}

static void encrypt(void)
{
    sealed_length = sizeof sealed;
    must(EVP_PKEY_encrypt(encrypting, sealed, &sealed_length, digest, sizeof digest));
}

static void decrypt(void)
{
    size_t length = sizeof out;
    must(EVP_PKEY_decrypt(decrypting, out, &length, sealed, sealed_length));
}

static EVP_PKEY_CTX *prepared(int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair, NULL);
    must(context != NULL && init(context));
    return context;
}

static void make_key(void)
{
    if (pair)
        return;
    pair = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
    signing = prepared(EVP_PKEY_sign_init);
    verifying = prepared(EVP_PKEY_verify_init);
    encrypting = prepared(EVP_PKEY_encrypt_init);
    decrypting = prepared(EVP_PKEY_decrypt_init);
    sign();
    encrypt();
}

static void open_cipher(const EVP_CIPHER *mode)
{
    if (!cipher)
        cipher = EVP_CIPHER_CTX_new();
    must(EVP_CipherInit_ex(cipher, mode, NULL, key, iv, mode == EVP_sm4_ctr()));
    must(EVP_CIPHER_CTX_set_padding(cipher, 0));
}

static call_t named(const char *name)
{
    if (!strcmp(name, "sm3"))
        return sm3;
    if (!strcmp(name, "sm4-ctr"))
        return open_cipher(EVP_sm4_ctr()), ctr;
    if (!strcmp(name, "sm4-cbc-decrypt"))
        return open_cipher(EVP_sm4_cbc()), cbc_decrypt;
    if (!strcmp(name, "sm2-keygen"))
        return keygen;
    if (!strcmp(name, "sm2-sign"))
        return make_key(), sign;
    if (!strcmp(name, "sm2-verify"))
        return make_key(), verify;
    if (!strcmp(name, "sm2-encrypt"))
        return make_key(), encrypt;
    if (!strcmp(name, "sm2-decrypt"))
        return make_key(), decrypt;
    return NULL;
}

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
    return contest(name);
}
