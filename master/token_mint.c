#include "master/token_mint.h"

#include "master/token_claims.h"
#include "master/token_command.h"
#include "master/token_file.h"
#include "master/token_option.h"
#include "shared/base64url.h"
#include "shared/clock.h"
#include "shared/jose.h"
#include "shared/jose_jwk.h"
#include "shared/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static const char token_mint_help[] =
    "usage: gatehouse token mint --key FILE --issuer I --audience A [--audience B]...\n"
    "         [--subject S] [--ttl 10m] [--claim NAME=VALUE]... [--alg ALGORITHM] [--kid KID]\n"
    "         [--count N]\n"
    "\n"
    "Prints a JSON Web Token, signed with a private key (PEM).\n"
    "\n"
    "  --key FILE          the private key, as `gatehouse token keygen` makes it\n"
    "  --issuer I          the claim iss\n"
    "  --audience A        the claim aud; given more than once, an array\n"
    "  --subject S         the claim sub (default: demo)\n"
    "  --ttl TIME          from now to exp: 30s, 10m (default), 2h or 1d\n"
    "  --claim NAME=VALUE  any claim, also in place of iss, aud, sub, email, iat, nbf, exp and\n"
    "                      jti. VALUE is JSON when it reads as JSON, else a string; with no VALUE\n"
    "                      the claim is left out. Without email, it is demo@example.com\n"
    "  --alg ALGORITHM     when more than one fits the key (RSA; default: RS256)\n"
    "  --kid KID           default: the key's RFC 7638 thumbprint; empty: none\n"
    "  --count N           so many tokens (1 to 100000), one a line, each with a jti of its own;\n"
    "                      {n} in --subject becomes its number\n";

static const char command[] = "mint";

enum {
    MINT_AUDIENCES_MAX = 16,
    MINT_CLAIMS_MAX = 48,
    MINT_TTL = 600,
    MINT_JTI_SIZE = 16,
    MINT_COUNT_MAX = 100000
};

enum {
    MINT_KEY,
    MINT_ISSUER,
    MINT_AUDIENCE,
    MINT_SUBJECT,
    MINT_TTL_OPTION,
    MINT_CLAIM,
    MINT_ALG,
    MINT_KID,
    MINT_COUNT,
};
static const char *const token_mint_names[] = {"key",   "issuer", "audience", "subject", "ttl",
                                               "claim", "alg",    "kid",      "count",   NULL};

struct token_mint {
    const char *key, *issuer, *subject, *kid; /* kid: NULL is the thumbprint */
    const char *audiences[MINT_AUDIENCES_MAX];
    size_t audience_count;
    const char *claims[MINT_CLAIMS_MAX]; /* NAME=VALUE */
    size_t claim_count;
    int64_t ttl;
    int algorithm; /* -1: the first that fits the key */
    unsigned long count;
    unsigned long number; /* of the present token, from 0 */
};

static int token_mint_add(const char **list, size_t *count, size_t max, const char *value)
{
    if (*count == max)
        return token_option_complain(command, TOKEN_OPTION_WRONG, "%s is one too many", value);
    list[(*count)++] = value;
    return 0;
}

static int token_mint_count(struct token_mint *mint, const char *value)
{
    char *end;

    mint->count = strtoul(value, &end, 10);
    if (*value >= '0' && *value <= '9' && *end == '\0' && mint->count >= 1 &&
        mint->count <= MINT_COUNT_MAX)
        return 0;
    return token_option_complain(command, TOKEN_OPTION_WRONG,
                                 "--count %s is not a number from 1 to %d", value, MINT_COUNT_MAX);
}

/* One option. 0, or TOKEN_OPTION_WRONG after saying why. */
static int token_mint_option(struct token_mint *mint, int option, const char *value)
{
    switch (option) {
    case MINT_KEY:
        mint->key = value;
        return 0;
    case MINT_ISSUER:
        mint->issuer = value;
        return 0;
    case MINT_AUDIENCE:
        return token_mint_add(mint->audiences, &mint->audience_count, MINT_AUDIENCES_MAX, value);
    case MINT_SUBJECT:
        mint->subject = value;
        return 0;
    case MINT_TTL_OPTION:
        if (token_option_duration(value, &mint->ttl) == 0)
            return 0;
        return token_option_complain(command, TOKEN_OPTION_WRONG,
                                     "--ttl %s is not a time like 30s, 10m, 2h or 1d", value);
    case MINT_CLAIM:
        if (value[0] != '=' && strchr(value, '=') != NULL)
            return token_mint_add(mint->claims, &mint->claim_count, MINT_CLAIMS_MAX, value);
        return token_option_complain(command, TOKEN_OPTION_WRONG, "--claim %s is not NAME=VALUE",
                                     value);
    case MINT_ALG:
        mint->algorithm = jose_algorithm_from_name(slice_from(value));
        if (mint->algorithm >= 0)
            return 0;
        return token_option_complain(command, TOKEN_OPTION_WRONG,
                                     "there is no algorithm %s; see --help", value);
    case MINT_KID:
        mint->kid = value;
        return 0;
    case MINT_COUNT:
        return token_mint_count(mint, value);
    default:
        return token_option_complain(command, TOKEN_OPTION_WRONG, "%s is one argument too many",
                                     value);
    }
}

/* 0 to go on, TOKEN_OPTION_HELP, or TOKEN_OPTION_WRONG. */
static int token_mint_options(struct token_mint *mint, int argc, char **argv)
{
    struct token_options options = {command, token_mint_names, argc, argv, 0, 0};
    const char *value = NULL;
    int option;

    while ((option = token_option_next(&options, &value)) != TOKEN_OPTION_END) {
        if (option == TOKEN_OPTION_HELP || option == TOKEN_OPTION_WRONG)
            return option;
        if (token_mint_option(mint, option, value) != 0)
            return TOKEN_OPTION_WRONG;
    }
    if (mint->key == NULL || mint->issuer == NULL || mint->audience_count == 0)
        return token_option_complain(command, TOKEN_OPTION_WRONG,
                                     "--key, --issuer and --audience are needed");
    return 0;
}

static int token_mint_set_jti(struct token_claims *claims)
{
    uint8_t random[MINT_JTI_SIZE];
    struct buffer text = {0};
    int error;

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    error = base64url_encode(slice_make((char *)random, sizeof(random)), &text);
    if (error == 0)
        error = token_claims_set_string(claims, slice_from("jti"), buffer_slice(&text));
    buffer_free(&text);
    return error;
}

static int token_mint_set_subject(const struct token_mint *mint, struct token_claims *claims)
{
    const char *place = strstr(mint->subject, "{n}");
    struct buffer text = {0};
    int error;

    if (place == NULL)
        return token_claims_set_string(claims, slice_from("sub"), slice_from(mint->subject));
    error = buffer_append(&text, mint->subject, (size_t)(place - mint->subject));
    if (error == 0)
        error = buffer_append_number(&text, mint->number);
    if (error == 0)
        error = buffer_append_text(&text, place + strlen("{n}"));
    if (error == 0)
        error = token_claims_set_string(claims, slice_from("sub"), buffer_slice(&text));
    buffer_free(&text);
    return error;
}

/* The claims that a token has unless it is told otherwise (RFC 7519, 4.1). `email` is what
 * configurations read the user from by default. */
static int token_mint_set_defaults(const struct token_mint *mint, struct token_claims *claims)
{
    int64_t now = clock_wall_seconds();
    int error = token_claims_set_string(claims, slice_from("iss"), slice_from(mint->issuer));

    if (error == 0)
        error = token_claims_set_strings(claims, slice_from("aud"), mint->audiences,
                                         mint->audience_count);
    if (error == 0)
        error = token_mint_set_subject(mint, claims);
    if (error == 0)
        error =
            token_claims_set_string(claims, slice_from("email"), slice_from("demo@example.com"));
    if (error == 0)
        error = token_claims_set_integer(claims, slice_from("iat"), now);
    if (error == 0)
        error = token_claims_set_integer(claims, slice_from("nbf"), now);
    if (error == 0)
        error = token_claims_set_integer(claims, slice_from("exp"), now + mint->ttl);
    return error != 0 ? error : token_mint_set_jti(claims);
}

static int token_mint_payload(const struct token_mint *mint, struct buffer *out)
{
    struct token_claims claims = {0};
    int error = token_mint_set_defaults(mint, &claims);

    for (size_t i = 0; i < mint->claim_count && error == 0; i++) {
        size_t size = strcspn(mint->claims[i], "=");

        error = token_claims_set_text(&claims, slice_make(mint->claims[i], size),
                                      slice_from(mint->claims[i] + size + 1));
    }
    if (error == 0)
        error = token_claims_append(&claims, out);
    token_claims_free(&claims);
    return error;
}

static int token_mint_header(const struct token_mint *mint, const struct jose_key *key,
                             enum jose_algorithm algorithm, struct buffer *out)
{
    struct token_claims header = {0};
    struct buffer kid = {0};
    int error = mint->kid == NULL ? jose_jwk_kid(key, &kid) : buffer_append_text(&kid, mint->kid);

    if (error == 0)
        error = token_claims_set_string(&header, slice_from("alg"),
                                        slice_from(jose_algorithm_name(algorithm)));
    if (error == 0)
        error = token_claims_set_string(&header, slice_from("typ"), slice_from("JWT"));
    if (error == 0 && buffer_size(&kid) > 0)
        error = token_claims_set_string(&header, slice_from("kid"), buffer_slice(&kid));
    if (error == 0)
        error = token_claims_append(&header, out);
    token_claims_free(&header);
    buffer_free(&kid);
    return error;
}

/* A compact JWS (RFC 7515, 7.1). */
static int token_mint_sign(const struct token_mint *mint, struct jose_key *key,
                           enum jose_algorithm algorithm, struct buffer *token)
{
    struct buffer header = {0}, payload = {0}, signature = {0};
    int error = token_mint_header(mint, key, algorithm, &header);

    if (error == 0)
        error = token_mint_payload(mint, &payload);
    if (error == 0)
        error = base64url_encode(buffer_slice(&header), token);
    if (error == 0)
        error = buffer_append(token, ".", 1);
    if (error == 0)
        error = base64url_encode(buffer_slice(&payload), token);
    if (error == 0)
        error = jose_sign(key, algorithm, buffer_slice(token), &signature);
    if (error == 0)
        error = buffer_append(token, ".", 1);
    if (error == 0)
        error = base64url_encode(buffer_slice(&signature), token);
    buffer_free(&header);
    buffer_free(&payload);
    buffer_free(&signature);
    return error;
}

/* NULL after saying why. */
static struct jose_key *token_mint_read_key(const char *path)
{
    struct buffer pem = {0};
    struct jose_key *key = NULL;
    int error = token_file_read(path, &pem);

    if (error != 0)
        token_option_complain(command, 1, "cannot read %s: %s", path, strerror(-error));
    else if (jose_key_from_pem(&key, buffer_slice(&pem)) != 0)
        token_option_complain(command, 1, "%s is not a private key in PEM that can be used", path);
    buffer_wipe(&pem);
    return key;
}

/* The algorithm asked for, or the first that fits; -1 when the one asked for does not. */
static int token_mint_algorithm(const struct token_mint *mint, const struct jose_key *key)
{
    uint32_t fitting = jose_key_algorithms(key);

    if (mint->algorithm >= 0)
        return (fitting >> mint->algorithm & 1) != 0 ? mint->algorithm : -1;
    return __builtin_ctz(fitting);
}

static int token_mint_print(const struct token_mint *mint, struct jose_key *key)
{
    int algorithm = token_mint_algorithm(mint, key);
    struct buffer token = {0};
    int error;

    if (algorithm < 0)
        return token_option_complain(command, 1, "%s is not a key for %s", mint->key,
                                     jose_algorithm_name((enum jose_algorithm)mint->algorithm));
    error = token_mint_sign(mint, key, (enum jose_algorithm)algorithm, &token);
    if (error == 0)
        printf("%.*s\n", (int)buffer_size(&token), buffer_data(&token));
    buffer_wipe(&token);
    return error == 0 ? 0 : token_option_complain(command, 1, "cannot sign the token");
}

int token_mint(int argc, char **argv)
{
    struct token_mint mint = {.subject = "demo", .ttl = MINT_TTL, .algorithm = -1, .count = 1};
    int status = token_mint_options(&mint, argc, argv);
    struct jose_key *key;

    if (status == TOKEN_OPTION_HELP) {
        fputs(token_mint_help, stdout);
        return 0;
    }
    if (status != 0)
        return TOKEN_EXIT_USAGE;
    key = token_mint_read_key(mint.key);
    if (key == NULL)
        return 1;
    for (; mint.number < mint.count && status == 0; mint.number++)
        status = token_mint_print(&mint, key);
    jose_key_free(key);
    return status;
}
