/* Any bytes as a key set: every key that is accepted can be made DER or is refused with a reason,
 * and what is made can be prepared. */
#include "shared/jose_jwk.h"
#include "shared/jwk.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void prepare(const struct jwk *jwk)
{
    struct buffer der = {0};
    struct jose_key *key = NULL;
    uint32_t algorithms;
    const char *reason;

    if (jose_jwk_to_der(jwk, &der, &algorithms, &reason) == 0) {
        check(algorithms != 0);
        check(jose_key_from_der(&key, buffer_slice(&der), algorithms) == 0);
    } else {
        check(reason != NULL && algorithms == 0);
    }
    jose_key_free(key);
    buffer_free(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct arena arena = {0};
    struct jose_key *key;
    struct jwk_set set;
    const char *reason = NULL;

    if (jwk_set_parse(text, &arena, &set, &reason) == 0) {
        for (size_t i = 0; i < set.count; i++)
            prepare(&set.keys[i]);
        for (size_t i = 0; i < set.refusal_count; i++)
            check(set.refusals[i].reason != NULL);
    } else {
        check(reason != NULL);
    }
    if (jose_key_from_der(&key, text, JOSE_ALL) == 0)
        jose_key_free(key);
    arena_free(&arena);
    return 0;
}
