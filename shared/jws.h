/* jws.h: a compact JWS (RFC 7515, 7.1) taken apart. Pure: checks form, proves nothing.
 *
 * Strict: exactly three parts, canonical base64url, header and payload strict JSON objects without
 * duplicate members, `alg` one of ours, no `crit`, no `b64`, no `zip`, `typ` absent or
 * JWT / at+jwt (with or without application/).
 */
#ifndef GATEHOUSE_SHARED_JWS_H
#define GATEHOUSE_SHARED_JWS_H

#include "shared/buffer.h"
#include "shared/jose_algorithm.h"
#include "shared/json_table.h"
#include "shared/slice.h"

/* Bytes; the kid's with a NUL. */
enum { JWS_TOKEN_MAX = 16 * 1024, JWS_SIGNATURE_MAX = 1024, JWS_KID_MAX = 256 };

enum jws_error {
    JWS_OK,
    JWS_MALFORMED, /* not a compact JWS, or not strict JSON; also when there is no memory */
    JWS_ALGORITHM, /* alg missing, unknown, symmetric, none */
    JWS_HEADER,    /* crit, typ, ... */
};

struct jws {
    enum jose_algorithm algorithm;
    char kid[JWS_KID_MAX];      /* 1 to 255 bytes, NUL-terminated, any byte may be inside */
    size_t kid_size;            /* 0 when absent */
    struct slice signing_input; /* borrowed from the token */
    struct json_value payload;  /* an object; borrowed from `memory` */
    size_t signature_size;
    struct buffer memory; /* owned: the decoded payload; free with jws_free */
    /* What follows is most of it, and is not cleared before it is filled. */
    uint8_t signature[JWS_SIGNATURE_MAX];
    struct json_table claims; /* the payload's members; borrowed, too */
};

/* The token's bytes must outlive *out. After an error there is nothing to free, and *out is empty,
 * but for its signature and claims; jws_free is harmless then. */
enum jws_error jws_parse(struct slice token, struct jws *out);
void jws_free(struct jws *jws);

#endif
