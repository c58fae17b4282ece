#include "shared/jwk.h"

#include "shared/base64url.h"
#include "shared/json.h"

#include <errno.h>

/* Members that are read. From JWK_PRIVATE on: those of private and symmetric keys (RFC 7518, 6.2.2,
 * 6.3.2, 6.4.1); whoever publishes one has lost the key. */
enum {
    JWK_KTY,
    JWK_KID,
    JWK_USE,
    JWK_KEY_OPS,
    JWK_ALG,
    JWK_CRV,
    JWK_N,
    JWK_E,
    JWK_X,
    JWK_Y,
    JWK_PRIVATE,
    JWK_MEMBERS = JWK_PRIVATE + 8,
};
static const char *const jwk_names[JWK_MEMBERS] = {
    "kty", "kid", "use", "key_ops", "alg", "crv", "n",  "e",   "x",
    "y",   "d",   "p",   "q",       "dp",  "dq",  "qi", "oth", "k",
};

static const char jwk_no_memory[] = "there is no memory";

static const struct jwk_curve {
    const char *name;
    enum jwk_type type;
    size_t size; /* bytes of a coordinate */
} jwk_curves[] = {
    {"P-256", JWK_EC, 32},
    {"P-384", JWK_EC, 48},
    {"P-521", JWK_EC, 66},
    {"Ed25519", JWK_OKP, 32},
};

struct jwk_reader {
    struct arena *arena;
    struct json_value members[JWK_MEMBERS];
    struct jwk *key;
    const char *reason; /* why the key is refused */
};

static bool jwk_refuse(struct jwk_reader *reader, const char *reason)
{
    reader->reason = reason;
    return false;
}

/* A member that may be absent; else a string of 1 to `max` bytes, copied. */
static bool jwk_read_text(struct jwk_reader *reader, int member, size_t max, struct slice *out,
                          const char *reason)
{
    const struct json_value *value = &reader->members[member];
    char text[JWK_KID_MAX];
    long size;

    if (value->kind == JSON_INVALID)
        return true;
    size = json_string(value, text, max);
    if (size <= 0)
        return jwk_refuse(reader, reason);
    *out = arena_copy(reader->arena, slice_make(text, (size_t)size));
    return out->data != NULL || jwk_refuse(reader, jwk_no_memory);
}

/* A member that must be there: canonical base64url of 1 to `max` bytes, copied decoded. */
static bool jwk_read_bytes(struct jwk_reader *reader, int member, size_t max, struct slice *out,
                           const char *reason)
{
    const struct json_value *value = &reader->members[member];
    char text[JWK_MODULUS_MAX * 4 / 3 + 4];
    char bytes[JWK_MODULUS_MAX];
    long size = json_string(value, text, sizeof(text));

    if (size > 0)
        size = base64url_decode(slice_make(text, (size_t)size), bytes, max);
    if (size <= 0)
        return jwk_refuse(reader, reason);
    *out = arena_copy(reader->arena, slice_make(bytes, (size_t)size));
    return out->data != NULL || jwk_refuse(reader, jwk_no_memory);
}

static bool jwk_array_has(const struct json_value *array, const char *text)
{
    struct json_iterator iterator;
    struct json_value element;
    bool found = false;

    json_iterate(&iterator, array);
    while (json_next(&iterator, NULL, NULL, &element) == 1)
        found = found || json_string_is(&element, slice_from(text));
    return found;
}

/* What the set says of the key's purpose: it must be to verify (RFC 7517, 4.2 and 4.3). */
static bool jwk_check_purpose(struct jwk_reader *reader)
{
    const struct json_value *use = &reader->members[JWK_USE];
    const struct json_value *operations = &reader->members[JWK_KEY_OPS];

    if (use->kind != JSON_INVALID && !json_string_is(use, slice_from("sig")))
        return jwk_refuse(reader, "its use is not sig");
    if (operations->kind == JSON_INVALID)
        return true;
    if (operations->kind != JSON_ARRAY || !jwk_array_has(operations, "verify"))
        return jwk_refuse(reader, "its key_ops do not contain verify");
    return true;
}

static bool jwk_check_public(struct jwk_reader *reader)
{
    for (size_t i = JWK_PRIVATE; i < JWK_MEMBERS; i++) {
        if (reader->members[i].kind != JSON_INVALID)
            return jwk_refuse(reader, "it contains private or symmetric key material");
    }
    return true;
}

/* RFC 7518, 6.3.1: numbers without leading zero bytes. */
static bool jwk_read_rsa(struct jwk_reader *reader)
{
    static const char modulus[] = "its n is missing, not canonical, or over 8192 bits";
    static const char exponent[] = "its e is missing, not canonical, or over 64 bits";
    struct jwk *key = reader->key;

    if (!jwk_read_bytes(reader, JWK_N, JWK_MODULUS_MAX, &key->n, modulus) ||
        !jwk_read_bytes(reader, JWK_E, JWK_EXPONENT_MAX, &key->e, exponent))
        return false;
    if (key->n.data[0] == 0)
        return jwk_refuse(reader, modulus);
    if (key->e.data[0] == 0)
        return jwk_refuse(reader, exponent);
    return true;
}

/* EC (RFC 7518, 6.2.1) and OKP (RFC 8037, 2): coordinates of exactly the curve's size. */
static bool jwk_read_curve(struct jwk_reader *reader)
{
    struct jwk *key = reader->key;
    const struct jwk_curve *curve = NULL;

    for (size_t i = 0; i < sizeof(jwk_curves) / sizeof(jwk_curves[0]); i++) {
        if (jwk_curves[i].type == key->type &&
            json_string_is(&reader->members[JWK_CRV], slice_from(jwk_curves[i].name)))
            curve = &jwk_curves[i];
    }
    if (curve == NULL)
        return jwk_refuse(reader, "its crv is missing or not supported");
    key->curve = slice_from(curve->name);
    if (!jwk_read_bytes(reader, JWK_X, curve->size, &key->x, "its x is missing or not canonical"))
        return false;
    if (key->x.size != curve->size)
        return jwk_refuse(reader, "its x has the wrong size");
    if (key->type == JWK_OKP)
        return true;
    if (!jwk_read_bytes(reader, JWK_Y, curve->size, &key->y, "its y is missing or not canonical"))
        return false;
    return key->y.size == curve->size || jwk_refuse(reader, "its y has the wrong size");
}

static bool jwk_read_key(struct jwk_reader *reader)
{
    const struct json_value *kty = &reader->members[JWK_KTY];

    if (json_string_is(kty, slice_from("oct")))
        return jwk_refuse(reader, "symmetric keys (kty oct) are never used");
    if (!jwk_check_public(reader) || !jwk_check_purpose(reader))
        return false;
    if (!jwk_read_text(reader, JWK_ALG, 64, &reader->key->alg, "its alg is not a short string"))
        return false;
    if (json_string_is(kty, slice_from("RSA"))) {
        reader->key->type = JWK_RSA;
        return jwk_read_rsa(reader);
    }
    if (json_string_is(kty, slice_from("EC")))
        reader->key->type = JWK_EC;
    else if (json_string_is(kty, slice_from("OKP")))
        reader->key->type = JWK_OKP;
    else
        return jwk_refuse(reader, "its kty is missing or not supported");
    return jwk_read_curve(reader);
}

/* One element of `keys`. The kid is read first, so that a refusal can name it. */
static bool jwk_read(struct jwk_reader *reader, const struct json_value *element)
{
    struct digest digest;

    if (element->kind != JSON_OBJECT)
        return jwk_refuse(reader, "it is not an object");
    if (json_members(element, jwk_names, JWK_MEMBERS, reader->members) != 0)
        return jwk_refuse(reader, "a member appears twice, or there are too many");
    if (!jwk_read_text(reader, JWK_KID, JWK_KID_MAX, &reader->key->kid,
                       "its kid is not a string of 1 to 255 bytes"))
        return false;
    if (!jwk_read_key(reader))
        return false;
    if (jwk_thumbprint(reader->key, &digest) != 0)
        return jwk_refuse(reader, jwk_no_memory);
    digest_hex(&digest, reader->key->thumbprint);
    return true;
}

static size_t jwk_count(const struct json_value *keys)
{
    struct json_iterator iterator;
    struct json_value element;

    json_iterate(&iterator, keys);
    while (json_next(&iterator, NULL, NULL, &element) == 1)
        continue;
    return iterator.count;
}

static int jwk_set_read(const struct json_value *keys, struct arena *arena, struct jwk_set *out)
{
    struct json_iterator iterator;
    struct json_value element;
    size_t index = 0;

    json_iterate(&iterator, keys);
    while (json_next(&iterator, NULL, NULL, &element) == 1) {
        struct jwk_reader reader = {.arena = arena, .key = &out->keys[out->count]};

        *reader.key = (struct jwk){.index = index};
        if (jwk_read(&reader, &element)) {
            out->count++;
        } else if (reader.reason == jwk_no_memory) {
            return -ENOMEM;
        } else {
            out->refusals[out->refusal_count++] =
                (struct jwk_refusal){index, reader.key->kid, reader.reason};
        }
        index++;
    }
    return 0;
}

int jwk_set_parse(struct slice text, struct arena *arena, struct jwk_set *out, const char **reason)
{
    static const char *const names[] = {"keys"};
    struct json_value set, keys;
    size_t count;

    *out = (struct jwk_set){0};
    if (text.size > JWK_SET_SIZE_MAX) {
        *reason = "the key set is too large";
        return -EINVAL;
    }
    if (json_parse(text, &set, reason) != 0)
        return -EINVAL;
    *reason = "the key set is not an object whose members appear once";
    if (json_members(&set, names, 1, &keys) != 0)
        return -EINVAL;
    *reason = "the key set has no array `keys`";
    if (keys.kind != JSON_ARRAY)
        return -EINVAL;
    count = jwk_count(&keys);
    *reason = "the key set has too many keys";
    if (count > JWK_SET_MAX)
        return -EINVAL;
    *reason = jwk_no_memory;
    out->keys = arena_array(arena, count, sizeof(*out->keys));
    out->refusals = arena_array(arena, count, sizeof(*out->refusals));
    if (out->keys == NULL || out->refusals == NULL)
        return -ENOMEM;
    return jwk_set_read(&keys, arena, out);
}

static int jwk_append_member(struct buffer *out, const char *name, struct slice bytes)
{
    int error = buffer_append_format(out, "\"%s\":\"", name);

    if (error == 0)
        error = base64url_encode(bytes, out);
    return error != 0 ? error : buffer_append(out, "\"", 1);
}

/* The members that RFC 7638, 3.2 requires, in the order it requires. */
static int jwk_append_required(const struct jwk *key, struct buffer *out)
{
    int error;

    if (key->type == JWK_RSA) {
        error = jwk_append_member(out, "e", key->e);
        if (error == 0)
            error = buffer_append_text(out, ",\"kty\":\"RSA\",");
        return error != 0 ? error : jwk_append_member(out, "n", key->n);
    }
    error = buffer_append_format(out, "\"crv\":\"%.*s\",\"kty\":\"%s\",", (int)key->curve.size,
                                 key->curve.data, key->type == JWK_EC ? "EC" : "OKP");
    if (error == 0)
        error = jwk_append_member(out, "x", key->x);
    if (error != 0 || key->type == JWK_OKP)
        return error;
    error = buffer_append(out, ",", 1);
    return error != 0 ? error : jwk_append_member(out, "y", key->y);
}

int jwk_thumbprint(const struct jwk *key, struct digest *out)
{
    struct buffer text = {0};
    int error = buffer_append(&text, "{", 1);

    if (error == 0)
        error = jwk_append_required(key, &text);
    if (error == 0)
        error = buffer_append(&text, "}", 1);
    if (error == 0)
        digest_of(buffer_slice(&text), out);
    buffer_free(&text);
    return error;
}

static int jwk_append_text(struct buffer *out, const char *name, struct slice text)
{
    int error;

    if (text.size == 0)
        return 0;
    error = buffer_append_format(out, ",\"%s\":", name);
    return error != 0 ? error : json_append_string(out, text);
}

int jwk_append(const struct jwk *key, struct buffer *out)
{
    int error = buffer_append(out, "{", 1);

    if (error == 0)
        error = jwk_append_required(key, out);
    if (error == 0)
        error = jwk_append_text(out, "use", slice_from("sig"));
    if (error == 0)
        error = jwk_append_text(out, "alg", key->alg);
    if (error == 0)
        error = jwk_append_text(out, "kid", key->kid);
    return error != 0 ? error : buffer_append(out, "}", 1);
}
