#include "master/token_keygen.h"

#include "master/token_command.h"
#include "master/token_file.h"
#include "master/token_option.h"
#include "shared/jose_jwk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char token_keygen_help[] =
    "usage: gatehouse token keygen --out DIR [--alg ALGORITHM]\n"
    "\n"
    "Makes DIR/key.pem (the private key, mode 0600) and DIR/jwks.json (its public key set, for\n"
    "static_jwks or jwks_url). Neither may exist: nothing is overwritten. DIR is made if missing.\n"
    "\n"
    "  --out DIR        where to\n"
    "  --alg ALGORITHM  RS256 (default), RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512\n"
    "                   or EdDSA (Ed25519)\n";

static const char command[] = "keygen";

enum { KEYGEN_OUT, KEYGEN_ALG };
static const char *const token_keygen_names[] = {"out", "alg", NULL};

/* Where the two files go, and what is in them. */
struct token_keygen {
    const char *directory;
    enum jose_algorithm algorithm;
    struct buffer key_path, set_path; /* NUL-terminated */
    struct buffer pem, set;
    struct buffer kid;
};

static int token_keygen_paths(struct token_keygen *keygen)
{
    int error = buffer_append_format(&keygen->key_path, "%s/key.pem%c", keygen->directory, '\0');

    if (error == 0)
        error = buffer_append_format(&keygen->set_path, "%s/jwks.json%c", keygen->directory, '\0');
    return error;
}

static int token_keygen_fill(struct token_keygen *keygen)
{
    struct jose_key *key = NULL;
    int error = jose_key_generate(&key, keygen->algorithm);

    if (error == 0)
        error = jose_key_private_pem(key, &keygen->pem);
    if (error == 0)
        error = jose_jwk_kid(key, &keygen->kid);
    if (error == 0)
        error = buffer_append_text(&keygen->set, "{\"keys\":[");
    if (error == 0)
        error = jose_jwk_append(key, keygen->algorithm, &keygen->set);
    if (error == 0)
        error = buffer_append_text(&keygen->set, "]}\n");
    jose_key_free(key);
    return error;
}

/* Both files or none. The exit status. */
static int token_keygen_write(const struct token_keygen *keygen)
{
    const char *path = buffer_data(&keygen->key_path);
    int error;

    if (mkdir(keygen->directory, 0755) != 0 && errno != EEXIST)
        return token_option_complain(command, 1, "cannot make the directory %s: %s",
                                     keygen->directory, strerror(errno));
    error = token_file_create(path, 0600, buffer_slice(&keygen->pem));
    if (error == 0) {
        path = buffer_data(&keygen->set_path);
        error = token_file_create(path, 0644, buffer_slice(&keygen->set));
        if (error != 0)
            unlink(buffer_data(&keygen->key_path));
    }
    if (error == -EEXIST)
        return token_option_complain(command, 1, "%s exists already, and is not overwritten", path);
    if (error != 0)
        return token_option_complain(command, 1, "cannot write %s: %s", path, strerror(-error));
    return 0;
}

/* mint chooses the first algorithm that fits a key: others must be named. */
static void token_keygen_report(const struct token_keygen *keygen)
{
    bool named = keygen->algorithm > JOSE_RS256 && keygen->algorithm <= JOSE_PS512;
    const char *name = jose_algorithm_name(keygen->algorithm);

    printf("private key  %s\n", buffer_data(&keygen->key_path));
    printf("key set      %s\n", buffer_data(&keygen->set_path));
    printf("kid          %.*s\n", (int)buffer_size(&keygen->kid), buffer_data(&keygen->kid));
    printf("algorithm    %s\n", name);
    printf("to mint      gatehouse token mint --key %s%s%s --issuer ISSUER --audience AUDIENCE\n",
           buffer_data(&keygen->key_path), named ? " --alg " : "", named ? name : "");
}

static int token_keygen_run(struct token_keygen *keygen)
{
    int status;

    if (token_keygen_paths(keygen) != 0 || token_keygen_fill(keygen) != 0)
        return token_option_complain(command, 1, "cannot make a key");
    status = token_keygen_write(keygen);
    if (status == 0)
        token_keygen_report(keygen);
    return status;
}

/* 0 to go on, TOKEN_OPTION_HELP, or TOKEN_OPTION_WRONG. */
static int token_keygen_options(struct token_keygen *keygen, int argc, char **argv)
{
    struct token_options options = {command, token_keygen_names, argc, argv, 0, 0};
    const char *value = NULL;
    int algorithm = JOSE_RS256;
    int option;

    while ((option = token_option_next(&options, &value)) != TOKEN_OPTION_END) {
        if (option == KEYGEN_OUT)
            keygen->directory = value;
        else if (option == KEYGEN_ALG)
            algorithm = jose_algorithm_from_name(slice_from(value));
        else if (option == TOKEN_OPTION_ARGUMENT)
            return token_option_complain(command, TOKEN_OPTION_WRONG, "%s is one argument too many",
                                         value);
        else
            return option;
        if (algorithm < 0)
            return token_option_complain(command, TOKEN_OPTION_WRONG,
                                         "there is no algorithm %s; see --help", value);
    }
    if (keygen->directory == NULL || keygen->directory[0] == '\0')
        return token_option_complain(command, TOKEN_OPTION_WRONG, "--out DIR is needed");
    keygen->algorithm = (enum jose_algorithm)algorithm;
    return 0;
}

int token_keygen(int argc, char **argv)
{
    struct token_keygen keygen = {0};
    int status = token_keygen_options(&keygen, argc, argv);

    if (status == TOKEN_OPTION_HELP) {
        fputs(token_keygen_help, stdout);
        return 0;
    }
    if (status != 0)
        return TOKEN_EXIT_USAGE;
    status = token_keygen_run(&keygen);
    buffer_free(&keygen.key_path);
    buffer_free(&keygen.set_path);
    buffer_free(&keygen.set);
    buffer_free(&keygen.kid);
    buffer_wipe(&keygen.pem);
    return status;
}
