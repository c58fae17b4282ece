#include "shared/jws.h"

#include "shared/base64url.h"

#include <stddef.h>

static const struct slice jws_no_part = {0};

/* Header members that a decision reads; the rest (x5t, jku, jwk, cty, ...) is never used. */
enum { JWS_ALG, JWS_KID, JWS_TYP, JWS_CRIT, JWS_B64, JWS_ZIP, JWS_NAMES };
static const char *const jws_names[JWS_NAMES] = {"alg", "kid", "typ", "crit", "b64", "zip"};

/* Cuts the next part off at a dot; at the end, the rest. */
static struct slice jws_cut(struct slice *rest)
{
    const char *dot = rest->size == 0 ? NULL : memchr(rest->data, '.', rest->size);
    struct slice part = *rest;

    if (dot == NULL) {
        *rest = jws_no_part;
        return part;
    }
    part.size = (size_t)(dot - rest->data);
    *rest = slice_skip(*rest, part.size + 1);
    return part;
}

static void jws_clear(struct jws *jws)
{
    memset(jws, 0, offsetof(struct jws, signature));
}

/* Appends the decoded part to the token's memory, which has the room, and reads it as an object
 * whose members each appear once. */
static bool jws_decode(struct jws *jws, struct slice part, struct json_table *members,
                       struct json_value *object)
{
    size_t room;
    char *space = buffer_space(&jws->memory, &room);
    long size = base64url_decode(part, space, room);

    if (size < 0)
        return false;
    buffer_commit(&jws->memory, (size_t)size);
    return json_table_read(members, slice_make(space, (size_t)size), object) == 0;
}

/* "JWT" or "at+jwt" (RFC 7519, 5.1; RFC 9068, 2.1), also as full media types. */
static bool jws_typ_is_known(const struct json_value *typ)
{
    static const char prefix[] = "application/";
    const size_t prefix_size = sizeof(prefix) - 1;
    char text[32];
    long size = json_string(typ, text, sizeof(text));
    struct slice name;

    if (size < 0)
        return false;
    name = slice_make(text, (size_t)size);
    if (name.size > prefix_size &&
        slice_equal_nocase(slice_make(text, prefix_size), slice_make(prefix, prefix_size)))
        name = slice_skip(name, prefix_size);
    return slice_equal_nocase(name, slice_from("JWT")) ||
           slice_equal_nocase(name, slice_from("at+jwt"));
}

static bool jws_read_algorithm(struct jws *jws, const struct json_value *alg)
{
    char name[16];
    long size = json_string(alg, name, sizeof(name));
    int algorithm = size < 0 ? -1 : jose_algorithm_from_name(slice_make(name, (size_t)size));

    if (algorithm < 0)
        return false;
    jws->algorithm = (enum jose_algorithm)algorithm;
    return true;
}

static bool jws_read_kid(struct jws *jws, const struct json_value *kid)
{
    long size;

    if (kid->kind == JSON_INVALID)
        return true;
    size = json_string(kid, jws->kid, sizeof(jws->kid) - 1);
    if (size <= 0)
        return false;
    jws->kid_size = (size_t)size;
    return true;
}

static enum jws_error jws_read_header(struct jws *jws, const struct json_table *header)
{
    struct json_value members[JWS_NAMES];

    for (size_t i = 0; i < JWS_NAMES; i++)
        members[i] = json_table_get(header, slice_from(jws_names[i]));
    if (!jws_read_algorithm(jws, &members[JWS_ALG]))
        return JWS_ALGORITHM;
    if (members[JWS_CRIT].kind != JSON_INVALID || members[JWS_B64].kind != JSON_INVALID ||
        members[JWS_ZIP].kind != JSON_INVALID)
        return JWS_HEADER;
    if (members[JWS_TYP].kind != JSON_INVALID && !jws_typ_is_known(&members[JWS_TYP]))
        return JWS_HEADER;
    return jws_read_kid(jws, &members[JWS_KID]) ? JWS_OK : JWS_HEADER;
}

static enum jws_error jws_read(struct slice token, struct jws *jws)
{
    struct slice rest = token;
    struct slice header_part = jws_cut(&rest);
    struct slice payload_part = jws_cut(&rest);
    struct slice signature_part = rest;
    struct json_table header;
    struct json_value object;
    enum jws_error error;
    long size;

    if (header_part.size == 0 || payload_part.size == 0)
        return JWS_MALFORMED;
    jws->signing_input = slice_make(token.data, header_part.size + 1 + payload_part.size);
    /* Reserved at once: what was read from it must not move. */
    if (buffer_reserve(&jws->memory, BASE64URL_DECODED_MAX(token.size)) != 0)
        return JWS_MALFORMED;
    if (!jws_decode(jws, header_part, &header, &object))
        return JWS_MALFORMED;
    error = jws_read_header(jws, &header);
    if (error != JWS_OK)
        return error;
    /* After the header, so that an unsecured token (RFC 7515, A.5) is refused for its algorithm. */
    size = base64url_decode(signature_part, jws->signature, sizeof(jws->signature));
    if (size <= 0)
        return JWS_MALFORMED;
    jws->signature_size = (size_t)size;
    return jws_decode(jws, payload_part, &jws->claims, &jws->payload) ? JWS_OK : JWS_MALFORMED;
}

enum jws_error jws_parse(struct slice token, struct jws *out)
{
    enum jws_error error;

    jws_clear(out);
    if (token.size == 0 || token.size > JWS_TOKEN_MAX)
        return JWS_MALFORMED;
    error = jws_read(token, out);
    if (error != JWS_OK)
        jws_free(out);
    return error;
}

void jws_free(struct jws *jws)
{
    buffer_free(&jws->memory);
    jws_clear(jws);
}
