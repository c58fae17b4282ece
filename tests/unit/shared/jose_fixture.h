/* jose_fixture.h: keys out of JWK sets. For tests of what signs, verifies and reads keys. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_JOSE_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_JOSE_FIXTURE_H

#include "shared/jose_jwk.h"

static const char jose_fixture_rsa[] = /* RFC 7515, A.2.1 */
    "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
    "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";

/* The key of a set of one. Without a key, the reason that the JWK was refused. */
static inline const char *jose_fixture_key(const char *text, struct jose_key **out,
                                           uint32_t *algorithms)
{
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    const char *reason = NULL;

    *out = NULL;
    assert_int_equal(jwk_set_parse(slice_from(text), &arena, &set, &reason), 0);
    assert_int_equal(set.count, 1);
    if (jose_jwk_to_der(&set.keys[0], &der, algorithms, &reason) == 0) {
        assert_null(reason);
        assert_int_equal(jose_key_from_der(out, buffer_slice(&der), *algorithms), 0);
    } else {
        assert_non_null(reason);
        assert_int_equal(*algorithms, 0);
        assert_int_equal(buffer_size(&der), 0);
    }
    buffer_free(&der);
    arena_free(&arena);
    return reason;
}

#endif
