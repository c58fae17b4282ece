#include "shared/jose_algorithm.h"

/* RFC 7518, 3.1 and RFC 8037, 3.1. */
const struct jose_rule jose_rules[JOSE_ALGORITHMS] = {
    [JOSE_RS256] = {"RS256", JOSE_PKCS1, "SHA2-256", NULL, NULL, 0},
    [JOSE_RS384] = {"RS384", JOSE_PKCS1, "SHA2-384", NULL, NULL, 0},
    [JOSE_RS512] = {"RS512", JOSE_PKCS1, "SHA2-512", NULL, NULL, 0},
    [JOSE_PS256] = {"PS256", JOSE_PSS, "SHA2-256", NULL, NULL, 0},
    [JOSE_PS384] = {"PS384", JOSE_PSS, "SHA2-384", NULL, NULL, 0},
    [JOSE_PS512] = {"PS512", JOSE_PSS, "SHA2-512", NULL, NULL, 0},
    [JOSE_ES256] = {"ES256", JOSE_ECDSA, "SHA2-256", "P-256", "prime256v1", 32},
    [JOSE_ES384] = {"ES384", JOSE_ECDSA, "SHA2-384", "P-384", "secp384r1", 48},
    [JOSE_ES512] = {"ES512", JOSE_ECDSA, "SHA2-512", "P-521", "secp521r1", 66},
    [JOSE_EDDSA] = {"EdDSA", JOSE_ED25519, NULL, "Ed25519", NULL, 32},
};

int jose_algorithm_from_name(struct slice name)
{
    for (int i = 0; i < JOSE_ALGORITHMS; i++) {
        if (slice_is(name, jose_rules[i].name))
            return i;
    }
    return -1;
}

const char *jose_algorithm_name(enum jose_algorithm algorithm)
{
    return (unsigned)algorithm < JOSE_ALGORITHMS ? jose_rules[algorithm].name : "unknown";
}
