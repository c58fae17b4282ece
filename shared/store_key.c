#include "shared/store_key.h"

#include <errno.h>

void store_key_begin(struct store_key *key)
{
    key->size = 0;
    key->text[0] = '\0';
    key->impossible = false;
}

/* An impossible key stays so: what is appended later cannot make it fit. */
static void store_key_append(struct store_key *key, const char *text, size_t size)
{
    if (key->impossible || size > STORE_KEY_MAX - key->size) {
        key->impossible = true;
        return;
    }
    memcpy(key->text + key->size, text, size);
    key->size += size;
    key->text[key->size] = '\0';
}

static void store_key_separate(struct store_key *key)
{
    if (key->size > 0)
        store_key_append(key, "/", 1);
}

static bool store_key_is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '~' ||
           byte == '@' || byte == '-';
}

/* Encodes into out; its size, or 0 when it takes more than STORE_KEY_PART_MAX bytes. */
static size_t store_key_encode(struct slice part, char out[STORE_KEY_PART_MAX])
{
    static const char upper[] = "0123456789ABCDEF";
    size_t size = 0;

    for (size_t i = 0; i < part.size; i++) {
        unsigned char byte = (unsigned char)part.data[i];
        size_t needed = store_key_is_plain(byte) ? 1 : 3;

        if (needed > STORE_KEY_PART_MAX - size)
            return 0;
        if (needed == 1) {
            out[size] = (char)byte;
        } else {
            out[size] = '%';
            out[size + 1] = upper[byte >> 4];
            out[size + 2] = upper[byte & 15];
        }
        size += needed;
    }
    return size;
}

static void store_key_hex(struct store_key *key, struct slice value)
{
    struct digest digest;
    char hex[DIGEST_HEX_SIZE + 1];

    digest_of(value, &digest);
    digest_hex(&digest, hex);
    store_key_append(key, hex, DIGEST_HEX_SIZE);
}

void store_key_part(struct store_key *key, struct slice part)
{
    char encoded[STORE_KEY_PART_MAX];
    size_t size = store_key_encode(part, encoded);

    store_key_separate(key);
    if (size > 0 || part.size == 0) {
        store_key_append(key, encoded, size);
        return;
    }
    store_key_append(key, "%", 1);
    store_key_hex(key, part);
}

void store_key_plain(struct store_key *key, const char *part)
{
    store_key_separate(key);
    store_key_append(key, part, strlen(part));
}

void store_key_number(struct store_key *key, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];

    for (size_t i = sizeof(text); i-- > 0; number >>= 4)
        text[i] = digits[number & 15];
    store_key_separate(key);
    store_key_append(key, text, sizeof(text));
}

void store_key_digest(struct store_key *key, struct slice value)
{
    store_key_separate(key);
    store_key_hex(key, value);
}

int store_key_take(struct store_key *key, struct slice text)
{
    store_key_begin(key);
    store_key_append(key, text.data, text.size);
    return key->impossible ? -EBADMSG : 0;
}

struct slice store_key_slice(const struct store_key *key)
{
    return slice_make(key->text, key->size);
}

void store_key_of(struct store_key *key, struct slice part)
{
    store_key_begin(key);
    store_key_part(key, part);
}
