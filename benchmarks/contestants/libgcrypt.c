/* libgcrypt as a contestant of benchmarks/primitives.py. */
#include <gcrypt.h>

#include "contestant.h"

static unsigned char aad[13];
static gcry_cipher_hd_t cipher;
static gcry_sexp_t private_key, public_key, signature, hashed;

static void fail_on(gcry_error_t error)
{
    if (error) {
        fprintf(stderr, "libgcrypt: %s\n", gcry_strerror(error));
        exit(1);
    }
}

static void sm3(void) { gcry_md_hash_buffer(GCRY_MD_SM3, out, data, size); }

static void gcm(void)
{
    fail_on(gcry_cipher_setiv(cipher, iv, 12));
    fail_on(gcry_cipher_authenticate(cipher, aad, sizeof aad));
    fail_on(gcry_cipher_encrypt(cipher, out, size, data, size));
    fail_on(gcry_cipher_gettag(cipher, out + sizeof out - 16, 16));
}

static void ctr(void)
{
    fail_on(gcry_cipher_setctr(cipher, iv, 16));
    fail_on(gcry_cipher_encrypt(cipher, out, size, data, size));
}

static void cbc_decrypt(void)
{
    fail_on(gcry_cipher_setiv(cipher, iv, 16));
    fail_on(gcry_cipher_decrypt(cipher, out, size, data, size));
}

static void sign(void)
{
    gcry_sexp_t made;
    fail_on(gcry_pk_sign(&made, hashed, private_key));
    gcry_sexp_release(made);
}

static void verify(void) { fail_on(gcry_pk_verify(signature, hashed, public_key)); }

static void make_key(void)
{
    gcry_sexp_t wish, pair;
    if (private_key)
        return;
    fail_on(gcry_sexp_build(&wish, NULL, "(genkey (ecc (curve sm2p256v1)))"));
    fail_on(gcry_pk_genkey(&pair, wish));
    private_key = gcry_sexp_find_token(pair, "private-key", 0);
    public_key = gcry_sexp_find_token(pair, "public-key", 0);
    fail_on(gcry_sexp_build(&hashed, NULL, "(data (flags sm2) (hash sm3 %b))", 32, digest));
    fail_on(gcry_pk_sign(&signature, hashed, private_key));
}

static void open_cipher(int mode)
{
    if (cipher)
        gcry_cipher_close(cipher);
    fail_on(gcry_cipher_open(&cipher, GCRY_CIPHER_SM4, mode, 0));
    fail_on(gcry_cipher_setkey(cipher, key, sizeof key));
}

static call_t named(const char *name)
{
    if (!strcmp(name, "sm3"))
        return sm3;
    if (!strcmp(name, "sm4-gcm"))
        return open_cipher(GCRY_CIPHER_MODE_GCM), gcm;
    if (!strcmp(name, "sm4-ctr"))
        return open_cipher(GCRY_CIPHER_MODE_CTR), ctr;
    if (!strcmp(name, "sm4-cbc-decrypt"))
        return open_cipher(GCRY_CIPHER_MODE_CBC), cbc_decrypt;
    if (!strcmp(name, "sm2-sign"))
        return make_key(), sign;
    if (!strcmp(name, "sm2-verify"))
        return make_key(), verify;
    return NULL;
}

int main(void)
{
    char name[64];
    if (!gcry_check_version(NULL))
        return 1;
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    snprintf(name, sizeof name, "libgcrypt %s", gcry_check_version(NULL));
    return contest(name);
}
