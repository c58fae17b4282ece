#include "master/token_inspect.h"

#include "master/token_command.h"
#include "master/token_file.h"
#include "master/token_option.h"
#include "master/token_print.h"
#include "shared/base64url.h"
#include "shared/clock.h"
#include "shared/jose.h"
#include "shared/jose_jwk.h"
#include "shared/jwk.h"
#include "shared/jws.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const char token_inspect_help[] =
    "usage: gatehouse token inspect [TOKEN | -] [--jwks FILE]\n"
    "\n"
    "Shows the header, the claims and the times of a JSON Web Token, given as an argument or\n"
    "(better, since other users can see arguments) on standard input.\n"
    "\n"
    "  --jwks FILE  checks the signature with the keys of this set; without it, it is NOT "
    "checked\n";

static const char command[] = "inspect";

enum { INSPECT_JWKS };
static const char *const token_inspect_names[] = {"jwks", NULL};

struct token_inspect {
    const char *argument; /* NULL or "-": standard input */
    const char *jwks;     /* NULL: do not check the signature */
};

/* Decodes one part and prints it under its title. false when it is no JSON. */
static bool token_inspect_part(const char *title, struct slice part, struct buffer *memory,
                               struct json_value *value)
{
    const char *reason = "it is not base64url";
    size_t room;
    char *space;
    long size;

    *value = (struct json_value){0};
    if (buffer_reserve(memory, BASE64URL_DECODED_MAX(part.size)) != 0)
        return false;
    space = buffer_space(memory, &room);
    size = base64url_decode(part, space, room);
    if (size < 0 || json_parse(slice_make(space, (size_t)size), value, &reason) != 0) {
        printf("%s: cannot be read: %s\n", title, reason);
        return false;
    }
    buffer_commit(memory, (size_t)size);
    printf("%s\n", title);
    token_print_json(value->text, stdout);
    return true;
}

static void token_inspect_times(const struct json_value *claims)
{
    static const char *const names[] = {"iat", "nbf", "exp"};
    static const char *const titles[] = {"issued", "valid from", "expires"};
    struct json_value found[3];
    int64_t now = clock_wall_seconds();

    if (json_members(claims, names, 3, found) != 0)
        return;
    printf("Times\n");
    for (size_t i = 0; i < 3; i++) {
        int64_t time;

        printf("  %-10s (%s)  ", titles[i], names[i]);
        if (json_numeric_date(&found[i], &time) == 0)
            token_print_time(time, now, stdout);
        else
            fputs(found[i].kind == JSON_INVALID ? "absent" : "not a time", stdout);
        fputc('\n', stdout);
    }
}

static void token_inspect_show(struct slice token)
{
    const char *first = memchr(token.data, '.', token.size);
    struct slice rest, header, payload;
    struct buffer header_memory = {0}, payload_memory = {0};
    struct json_value value;
    const char *second;

    if (first == NULL)
        return;
    header = slice_make(token.data, (size_t)(first - token.data));
    rest = slice_skip(token, header.size + 1);
    second = rest.size == 0 ? NULL : memchr(rest.data, '.', rest.size);
    payload = slice_make(rest.data, second == NULL ? rest.size : (size_t)(second - rest.data));
    token_inspect_part("Header", header, &header_memory, &value);
    if (token_inspect_part("Claims", payload, &payload_memory, &value))
        token_inspect_times(&value);
    buffer_wipe(&header_memory);
    buffer_wipe(&payload_memory);
}

/* Whether this key made the signature. -EINVAL when it may not verify the token's algorithm. */
static int token_inspect_try(const struct jwk *jwk, const struct jws *jws)
{
    struct buffer der = {0};
    struct jose_key *key = NULL;
    uint32_t algorithms;
    const char *reason;
    int error = jose_jwk_to_der(jwk, &der, &algorithms, &reason);

    if (error == 0)
        error = jose_key_from_der(&key, buffer_slice(&der), algorithms);
    if (error == 0)
        error = jose_verify(key, jws->algorithm, jws->signing_input,
                            slice_make((const char *)jws->signature, jws->signature_size));
    jose_key_free(key);
    buffer_free(&der);
    return error;
}

/* Tries the keys that the token's kid names; without one, all. */
static int token_inspect_keys(const struct token_inspect *inspect, const struct jwk_set *set,
                              const struct jws *jws)
{
    struct slice kid = slice_make(jws->kid, jws->kid_size);
    const char *failure = "no key of the set has its kid";

    for (size_t i = 0; i < set->count; i++) {
        int error;

        if (kid.size > 0 && !slice_equal(kid, set->keys[i].kid))
            continue;
        error = token_inspect_try(&set->keys[i], jws);
        if (error == 0) {
            printf("Signature\n  right, by the key with thumbprint %s (SHA-256) of %s\n",
                   set->keys[i].thumbprint, inspect->jwks);
            return 0;
        }
        failure = error == -EACCES ? "it was not made by the key that it names"
                                   : "the key that it names does not verify its alg";
    }
    printf("Signature\n  NOT right\n");
    return token_option_complain(command, 1, "the signature is not right: %s", failure);
}

static int token_inspect_check(const struct token_inspect *inspect, const struct jws *jws)
{
    struct arena arena = {0};
    struct buffer text = {0};
    struct jwk_set set;
    const char *reason = NULL;
    int status = token_file_read(inspect->jwks, &text);

    if (status != 0) {
        status = token_option_complain(command, 1, "cannot read %s: %s", inspect->jwks,
                                       strerror(-status));
    } else if (jwk_set_parse(buffer_slice(&text), &arena, &set, &reason) != 0) {
        status =
            token_option_complain(command, 1, "%s is not a key set: %s", inspect->jwks, reason);
    } else {
        for (size_t i = 0; i < set.refusal_count; i++)
            printf("Key %zu of %s is skipped: %s\n", set.refusals[i].index, inspect->jwks,
                   set.refusals[i].reason);
        status = token_inspect_keys(inspect, &set, jws);
    }
    arena_free(&arena);
    buffer_free(&text);
    return status;
}

static const char *token_inspect_refusal(enum jws_error error)
{
    switch (error) {
    case JWS_OK:
        return "";
    case JWS_ALGORITHM:
        return "its alg is not one that is accepted";
    case JWS_HEADER:
        return "its header has crit, b64 or zip, or a typ or kid that is not accepted";
    case JWS_MALFORMED:
        break;
    }
    return "it is not three parts of canonical base64url, the first two JSON objects whose members "
           "appear once";
}

static int token_inspect_token(const struct token_inspect *inspect, struct slice token)
{
    struct jws jws;
    enum jws_error error;
    int status = 0;

    if (token.size == 0)
        return token_option_complain(command, 1, "there is no token");
    token_inspect_show(token);
    error = jws_parse(token, &jws);
    if (error != JWS_OK)
        return token_option_complain(command, 1, "the token would be refused: %s",
                                     token_inspect_refusal(error));
    if (inspect->jwks == NULL)
        printf("Signature\n  NOT checked: anyone can write such a token; check it with --jwks "
               "FILE\n");
    else
        status = token_inspect_check(inspect, &jws);
    jws_free(&jws);
    return status;
}

static bool token_inspect_is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct slice token_inspect_trim(struct slice text)
{
    size_t begin = 0;
    size_t end = text.size;

    if (text.data == NULL)
        return text;
    while (end > begin && token_inspect_is_space(text.data[end - 1]))
        end--;
    while (begin < end && token_inspect_is_space(text.data[begin]))
        begin++;
    return slice_make(text.data + begin, end - begin);
}

static int token_inspect_run(const struct token_inspect *inspect)
{
    struct buffer text = {0};
    int status;

    if (inspect->argument != NULL && strcmp(inspect->argument, "-") != 0)
        return token_inspect_token(inspect, token_inspect_trim(slice_from(inspect->argument)));
    status = token_file_read_descriptor(STDIN_FILENO, &text);
    if (status != 0)
        status =
            token_option_complain(command, 1, "cannot read standard input: %s", strerror(-status));
    else
        status = token_inspect_token(inspect, token_inspect_trim(buffer_slice(&text)));
    buffer_wipe(&text);
    return status;
}

int token_inspect(int argc, char **argv)
{
    struct token_options options = {command, token_inspect_names, argc, argv, 0, 0};
    struct token_inspect inspect = {0};
    const char *value = NULL;
    int option;

    while ((option = token_option_next(&options, &value)) != TOKEN_OPTION_END) {
        if (option == TOKEN_OPTION_HELP) {
            fputs(token_inspect_help, stdout);
            return 0;
        }
        if (option == TOKEN_OPTION_WRONG)
            return TOKEN_EXIT_USAGE;
        if (option == INSPECT_JWKS)
            inspect.jwks = value;
        else if (inspect.argument == NULL)
            inspect.argument = value;
        else
            return token_option_complain(command, TOKEN_EXIT_USAGE,
                                         "only one token can be inspected");
    }
    return token_inspect_run(&inspect);
}
