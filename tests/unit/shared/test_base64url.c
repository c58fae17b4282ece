#include "shared/base64url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static long decode(const char *text, char *out, size_t room)
{
    return base64url_decode(slice_from(text), out, room);
}

/* RFC 4648, 10, in the URL alphabet and without padding. */
static const struct {
    const char *plain, *encoded;
} vectors[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
};

static void test_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct buffer encoded = {0};
        char decoded[16];
        long size = decode(vectors[i].encoded, decoded, sizeof(decoded));

        assert_int_equal(size, strlen(vectors[i].plain));
        assert_memory_equal(decoded, vectors[i].plain, (size_t)size);
        assert_int_equal(base64url_encode(slice_from(vectors[i].plain), &encoded), 0);
        assert_true(slice_is(buffer_slice(&encoded), vectors[i].encoded));
        buffer_free(&encoded);
    }
}

static void test_every_byte_round_trips(void **state)
{
    char bytes[256], decoded[256];
    struct buffer encoded = {0};

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    assert_int_equal(base64url_encode(slice_make(bytes, sizeof(bytes)), &encoded), 0);
    assert_int_equal(base64url_decode(buffer_slice(&encoded), decoded, sizeof(decoded)), 256);
    assert_memory_equal(bytes, decoded, 256);
    buffer_free(&encoded);
}

static void test_refuses_what_is_not_canonical(void **state)
{
    static const char *const wrong[] = {
        "Z",        /* no byte has one character */
        "Zh",       /* unused bits of the last character set */
        "Zm9",      /* same, of three */
        "Zg==",     /* padding */
        "Zm9vYg=",  /* half of it */
        "Zm 9v",    /* white space */
        "Zm9v\n",   /* also at the end */
        "+/8",      /* the other alphabet */
        "Zm9v.",    /* a dot */
        "\xc3\xa9", /* not ASCII */
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(decode(wrong[i], out, sizeof(out)), -EINVAL);
    assert_int_equal(base64url_decode(slice_make("Zm\0v", 4), out, sizeof(out)), -EINVAL);
}

/* Long texts are decoded many at a time: each place, and each character in it. */
static void test_every_character_in_every_place(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[48], out[36];

    (void)state;
    for (size_t place = 0; place < sizeof(text); place++) {
        for (int c = 0; c < 256; c++) {
            const char *found = c == 0 ? NULL : strchr(alphabet, c);
            long size;

            memset(text, 'A', sizeof(text));
            text[place] = (char)c;
            memset(out, 0x55, sizeof(out));
            size = base64url_decode(slice_make(text, sizeof(text)), out, sizeof(out));
            if (found == NULL) {
                assert_int_equal(size, -EINVAL);
                continue;
            }
            assert_int_equal(size, sizeof(out));
            for (size_t bit = 0; bit < 8 * sizeof(out); bit++) {
                size_t shift = 5 - bit % 6;
                int expected = bit / 6 == place ? (int)(found - alphabet) >> shift & 1 : 0;

                assert_int_equal((unsigned char)out[bit / 8] >> (7 - bit % 8) & 1, expected);
            }
        }
    }
}

static void test_one_value_has_one_spelling(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t accepted = 0;
    char out[1];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        for (size_t k = 0; k < 64; k++) {
            char text[2] = {alphabet[i], alphabet[k]};

            accepted += base64url_decode(slice_make(text, 2), out, 1) == 1;
        }
    }
    assert_int_equal(accepted, 256);
}

static void test_stays_within_its_room(void **state)
{
    char out[3] = "..";

    (void)state;
    assert_int_equal(decode("Zm9v", out, 2), -ENOSPC);
    assert_string_equal(out, "..");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_both_ways),
        cmocka_unit_test(test_every_byte_round_trips),
        cmocka_unit_test(test_refuses_what_is_not_canonical),
        cmocka_unit_test(test_every_character_in_every_place),
        cmocka_unit_test(test_one_value_has_one_spelling),
        cmocka_unit_test(test_stays_within_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
