#include "master/token_command.h"

#include "master/token_file.h"
#include "shared/jwk.h"
#include "shared/jws.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 24, PATH_SIZE = 256 };

/* A scratch directory, and what the last command wrote. */
struct fixture {
    char directory[PATH_SIZE];
    char key[PATH_SIZE];
    char set[PATH_SIZE];
    struct buffer out; /* NUL-terminated */
    struct buffer error;
};

static int capture(int descriptor, int *saved)
{
    int memory = memfd_create("captured", MFD_CLOEXEC);

    fflush(NULL);
    *saved = dup(descriptor);
    assert_true(memory >= 0 && *saved >= 0 && dup2(memory, descriptor) == descriptor);
    return memory;
}

static void release(int descriptor, int saved, int memory, struct buffer *out)
{
    fflush(NULL);
    assert_int_equal(dup2(saved, descriptor), descriptor);
    close(saved);
    buffer_clear(out);
    assert_int_equal(lseek(memory, 0, SEEK_SET), 0);
    assert_int_equal(token_file_read_descriptor(memory, out), 0);
    assert_int_equal(buffer_append(out, "\0", 1), 0);
    close(memory);
}

/* Runs `token` with these words. The exit status. */
static int run(struct fixture *fixture, ...)
{
    char *argv[ARGUMENTS_MAX];
    int argc = 0, status, saved_out, saved_error, out, error;
    va_list words;

    va_start(words, fixture);
    while (argc < ARGUMENTS_MAX && (argv[argc] = va_arg(words, char *)) != NULL)
        argc++;
    va_end(words);
    assert_true(argc < ARGUMENTS_MAX);
    out = capture(STDOUT_FILENO, &saved_out);
    error = capture(STDERR_FILENO, &saved_error);
    status = token_command(argc, argv);
    release(STDERR_FILENO, saved_error, error, &fixture->error);
    release(STDOUT_FILENO, saved_out, out, &fixture->out);
    return status;
}

static bool printed(const struct fixture *fixture, const char *text)
{
    return strstr(buffer_data(&fixture->out), text) != NULL;
}

static bool complained(const struct fixture *fixture, const char *text)
{
    return strstr(buffer_data(&fixture->error), text) != NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    *state = fixture;
    strcpy(fixture->directory, "/tmp/test_token_command.XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    snprintf(fixture->key, sizeof(fixture->key), "%.128s/key.pem", fixture->directory);
    snprintf(fixture->set, sizeof(fixture->set), "%.128s/jwks.json", fixture->directory);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    unlink(fixture->key);
    unlink(fixture->set);
    rmdir(fixture->directory);
    buffer_free(&fixture->out);
    buffer_free(&fixture->error);
    free(fixture);
    return 0;
}

static void keygen(struct fixture *fixture, const char *algorithm)
{
    assert_int_equal(run(fixture, "keygen", "--out", fixture->directory, "--alg", algorithm, NULL),
                     0);
}

/* The token that the last command printed, without its line feed. */
static struct slice minted(const struct fixture *fixture)
{
    struct slice text = slice_from(buffer_data(&fixture->out));

    assert_true(text.size > 1 && text.data[text.size - 1] == '\n');
    text.size--;
    assert_null(memchr(text.data, '\n', text.size));
    return text;
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_keygen_writes_a_key_and_its_set(void **state)
{
    struct fixture *fixture = *state;
    struct arena arena = {0};
    struct buffer text = {0};
    struct jwk_set set;
    const char *reason;
    mode_t old = umask(0077);

    keygen(fixture, "RS256");
    umask(old);
    assert_true(printed(fixture, fixture->key) && printed(fixture, fixture->set));
    assert_int_equal(mode_of(fixture->key), 0600);
    assert_int_equal(mode_of(fixture->set), 0644);
    assert_int_equal(token_file_read(fixture->set, &text), 0);
    assert_int_equal(jwk_set_parse(buffer_slice(&text), &arena, &set, &reason), 0);
    assert_int_equal(set.count, 1);
    assert_true(slice_is(set.keys[0].alg, "RS256"));
    assert_int_equal(set.keys[0].kid.size, 43);
    arena_free(&arena);
    buffer_free(&text);
}

static void test_keygen_overwrites_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct buffer before = {0}, after = {0};

    keygen(fixture, "ES256");
    assert_int_equal(token_file_read(fixture->key, &before), 0);
    assert_int_equal(run(fixture, "keygen", "--out", fixture->directory, NULL), 1);
    assert_true(complained(fixture, "exists already"));
    assert_int_equal(token_file_read(fixture->key, &after), 0);
    assert_true(slice_equal(buffer_slice(&before), buffer_slice(&after)));
    /* With the set alone in the way, no key is left behind either. */
    assert_int_equal(unlink(fixture->key), 0);
    assert_int_equal(run(fixture, "keygen", "--out", fixture->directory, NULL), 1);
    assert_int_not_equal(access(fixture->key, F_OK), 0);
    buffer_free(&before);
    buffer_free(&after);
}

static void test_every_algorithm_mints_what_inspect_checks(void **state)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512", "EdDSA"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buffer token = {0};

        keygen(fixture, names[i]);
        assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "me", "--audience",
                             "a", "--alg", names[i], NULL),
                         0);
        assert_int_equal(buffer_append_slice(&token, minted(fixture)), 0);
        assert_int_equal(buffer_append(&token, "\0", 1), 0);
        assert_int_equal(run(fixture, "inspect", "--jwks", fixture->set, buffer_data(&token), NULL),
                         0);
        assert_true(printed(fixture, "right, by the key") && printed(fixture, names[i]));
        assert_int_equal(run(fixture, "inspect", buffer_data(&token), NULL), 0);
        assert_true(printed(fixture, "NOT checked"));
        buffer_data(&token)[buffer_size(&token) - 20] ^= 1;
        assert_int_equal(run(fixture, "inspect", "--jwks", fixture->set, buffer_data(&token), NULL),
                         1);
        assert_false(printed(fixture, "right, by"));
        buffer_free(&token);
        assert_int_equal(unlink(fixture->key), 0);
        assert_int_equal(unlink(fixture->set), 0);
    }
}

/* Reads one claim of the token that was minted last. */
static struct json_value claim(struct jws *jws, const struct fixture *fixture, const char *name)
{
    struct json_value value;

    assert_int_equal(jws_parse(minted(fixture), jws), JWS_OK);
    assert_int_equal(json_members(&jws->payload, &name, 1, &value), 0);
    return value;
}

static void check_claim(const struct fixture *fixture, const char *name, const char *expected)
{
    struct jws jws;
    struct json_value value = claim(&jws, fixture, name);

    if (expected == NULL)
        assert_int_equal(value.kind, JSON_INVALID);
    else
        assert_true(slice_is(value.text, expected));
    jws_free(&jws);
}

static int64_t time_claim(const struct fixture *fixture, const char *name)
{
    struct jws jws;
    struct json_value value = claim(&jws, fixture, name);
    int64_t time;

    assert_int_equal(json_numeric_date(&value, &time), 0);
    jws_free(&jws);
    return time;
}

static void test_mint_says_what_it_is_told(void **state)
{
    struct fixture *fixture = *state;

    keygen(fixture, "EdDSA");
    assert_int_equal(
        run(fixture, "mint", "--key", fixture->key, "--issuer", "me", "--audience", "a", NULL), 0);
    check_claim(fixture, "iss", "\"me\"");
    check_claim(fixture, "aud", "\"a\"");
    check_claim(fixture, "sub", "\"demo\"");
    check_claim(fixture, "email", "\"demo@example.com\"");
    assert_int_equal(time_claim(fixture, "exp") - time_claim(fixture, "iat"), 600);
    assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "me", "--audience",
                         "a", "--audience", "b", "--subject", "s", "--ttl", "2h", "--claim",
                         "email=", "--claim", "iat=7", "--claim", "iss=[]", NULL),
                     0);
    check_claim(fixture, "aud", "[\"a\",\"b\"]");
    check_claim(fixture, "sub", "\"s\"");
    check_claim(fixture, "email", NULL);
    check_claim(fixture, "iat", "7");
    check_claim(fixture, "iss", "[]");
    assert_int_equal(time_claim(fixture, "exp") - time_claim(fixture, "nbf"), 7200);
}

static void test_kid_is_the_sets_unless_told(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text = {0};
    struct jws jws;

    keygen(fixture, "ES256");
    assert_int_equal(token_file_read(fixture->set, &text), 0);
    assert_int_equal(buffer_append(&text, "\0", 1), 0);
    assert_int_equal(
        run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience", "a", NULL), 0);
    assert_int_equal(jws_parse(minted(fixture), &jws), JWS_OK);
    assert_int_equal(jws.kid_size, 43);
    assert_non_null(strstr(buffer_data(&text), jws.kid));
    jws_free(&jws);
    assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience", "a",
                         "--kid", "other", NULL),
                     0);
    assert_int_equal(jws_parse(minted(fixture), &jws), JWS_OK);
    assert_string_equal(jws.kid, "other");
    jws_free(&jws);
    assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience", "a",
                         "--kid", "", NULL),
                     0);
    assert_int_equal(jws_parse(minted(fixture), &jws), JWS_OK);
    assert_int_equal(jws.kid_size, 0);
    jws_free(&jws);
    buffer_free(&text);
}

/* Load tests need tokens that differ, of users that differ. */
static void test_mint_prints_as_many_as_told(void **state)
{
    struct fixture *fixture = *state;
    size_t lines = 0;

    keygen(fixture, "ES256");
    assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience", "a",
                         "--subject", "user-{n}-x", "--count", "3", NULL),
                     0);
    for (const char *at = buffer_data(&fixture->out); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 3);
    assert_int_not_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience",
                             "a", "--count", "0", NULL),
                         0);
}

static void test_mint_refuses_what_does_not_fit(void **state)
{
    struct fixture *fixture = *state;

    keygen(fixture, "ES256");
    assert_int_equal(run(fixture, "mint", "--key", fixture->key, "--issuer", "i", "--audience", "a",
                         "--alg", "ES384", NULL),
                     1);
    assert_true(complained(fixture, "ES384"));
    assert_int_equal(
        run(fixture, "mint", "--key", fixture->set, "--issuer", "i", "--audience", "a", NULL), 1);
    assert_int_equal(
        run(fixture, "mint", "--key", "/nonexistent", "--issuer", "i", "--audience", "a", NULL), 1);
    assert_true(complained(fixture, "/nonexistent"));
}

static void test_inspect_says_why_a_token_would_be_refused(void **state)
{
    struct fixture *fixture = *state;

    /* {"alg":"none"} . {"a":1} */
    assert_int_equal(run(fixture, "inspect", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.", NULL), 1);
    assert_true(printed(fixture, "\"none\"") && printed(fixture, "\"a\": 1"));
    assert_true(complained(fixture, "would be refused"));
    /* {"alg":"HS256"} */
    assert_int_equal(run(fixture, "inspect", "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", NULL), 1);
    assert_true(complained(fixture, "alg"));
    assert_int_equal(run(fixture, "inspect", "not a token", NULL), 1);
    assert_int_equal(run(fixture, "inspect", "", NULL), 1);
}

static void test_wrong_use_is_64(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(run(fixture, NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "burn", NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "keygen", NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "keygen", "--out", "x", "--alg", "HS256", NULL),
                     TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "mint", "--key", "x", "--issuer", "i", NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "mint", "--key", "x", "--issuer", "i", "--audience", "a", "--ttl",
                         "soon", NULL),
                     TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "mint", "--claim", "=1", NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "mint", "--claim", "name", NULL), TOKEN_EXIT_USAGE);
    assert_int_equal(run(fixture, "inspect", "a", "b", NULL), TOKEN_EXIT_USAGE);
    assert_true(buffer_size(&fixture->error) > 1);
}

static void test_help_is_no_error(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(run(fixture, "--help", NULL), 0);
    assert_true(printed(fixture, "keygen"));
    assert_int_equal(run(fixture, "keygen", "--help", NULL), 0);
    assert_true(printed(fixture, "usage:"));
    assert_int_equal(run(fixture, "mint", "--help", NULL), 0);
    assert_int_equal(run(fixture, "inspect", "--help", NULL), 0);
    assert_int_equal(buffer_size(&fixture->error), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keygen_writes_a_key_and_its_set),
        TEST(test_keygen_overwrites_nothing),
        TEST(test_every_algorithm_mints_what_inspect_checks),
        TEST(test_mint_says_what_it_is_told),
        TEST(test_kid_is_the_sets_unless_told),
        TEST(test_mint_prints_as_many_as_told),
        TEST(test_mint_refuses_what_does_not_fit),
        TEST(test_inspect_says_why_a_token_would_be_refused),
        TEST(test_wrong_use_is_64),
        TEST(test_help_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
