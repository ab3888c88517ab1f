/* GmSSL 3 as a contestant of benchmarks/primitives.py. */
#include <gmssl/sm2.h>
#include <gmssl/sm3.h>
#include <gmssl/sm4.h>
#include <gmssl/version.h>

#include "contestant.h"

static unsigned char aad[13];
static SM2_KEY pair;
static SM4_KEY cipher;
static unsigned char signature[SM2_MAX_SIGNATURE_SIZE], sealed[SM2_MAX_CIPHERTEXT_SIZE];
static size_t signed_length, sealed_length;

static void must(int done)
{
    if (done != 1) {
        fputs("GmSSL: a call failed\n", stderr);
        exit(1);
    }
}

static void keygen(void)
{
    SM2_KEY made;
    must(sm2_key_generate(&made));
}

static void sign(void) { must(sm2_sign(&pair, digest, signature, &signed_length)); }
static void verify(void) { must(sm2_verify(&pair, digest, signature, signed_length)); }

static void ecdh(void)
{
    SM2_POINT shared;
    must(sm2_do_ecdh(&pair, &pair.public_key, &shared));
}

static void encrypt(void) { must(sm2_encrypt(&pair, digest, 32, sealed, &sealed_length)); }

static void decrypt(void)
{
    size_t length;
    must(sm2_decrypt(&pair, sealed, sealed_length, out, &length));
}

static void sm3(void) { sm3_digest(data, size, out); }

static void gcm(void)
{
    must(sm4_gcm_encrypt(&cipher, iv, 12, aad, sizeof aad, data, size, out, 16, out + size));
}

static void ctr(void) { sm4_ctr_encrypt(&cipher, iv, data, size, out); }
static void cbc_decrypt(void) { sm4_cbc_decrypt(&cipher, iv, data, size / 16, out); }

static call_t named(const char *work)
{
    sm4_set_encrypt_key(&cipher, key);
    if (!strcmp(work, "sm3"))
        return sm3;
    if (!strcmp(work, "sm4-gcm"))
        return gcm;
    if (!strcmp(work, "sm4-ctr"))
        return ctr;
    if (!strcmp(work, "sm4-cbc-decrypt"))
        return sm4_set_decrypt_key(&cipher, key), cbc_decrypt;
    if (!strcmp(work, "sm2-keygen"))
        return keygen;
    must(sm2_key_generate(&pair));
    if (!strcmp(work, "sm2-sign"))
        return sign;
    if (!strcmp(work, "sm2-verify"))
        return sign(), verify;
    if (!strcmp(work, "sm2-ecdh"))
        return ecdh;
    if (!strcmp(work, "sm2-encrypt"))
        return encrypt;
    if (!strcmp(work, "sm2-decrypt"))
        return encrypt(), decrypt;
    return NULL;
}

int main(void) { return contest(GMSSL_VERSION_STR); }
