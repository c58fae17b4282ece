/* connect_options.h: the command line of `gatehouse connect`, read and checked. Opens nothing.
 *
 * Called by connect.c, and by client_config.c, which prints the same options into an entry of a
 * client's configuration: so what is refused is refused before it is pasted.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_OPTIONS_H
#define GATEHOUSE_WORKER_CONNECT_OPTIONS_H

#include "shared/uri.h"

enum { CONNECT_HEADERS_MAX = 16 /* more than anyone types */ };

/* All texts are borrowed from argv. */
struct connect_options {
    const char *url;
    struct uri uri; /* of `url`: scheme http or https */
    /* Where the bearer token comes from: at most one of them. */
    const char *token_file, *token_command, *token_env;
    const char *client_cert, *client_key; /* both, or none; https only */
    const char *ca;                       /* PEM file; NULL: the system's bundle */
    const char *headers[CONNECT_HEADERS_MAX];
    size_t header_count;
    bool insecure; /* plain http beyond loopback */
    /* Of client-config alone. */
    const char *client, *name;
};

/* argv[0] is the command's name. `config`: --client and --name belong to it, too. 0; -EINVAL, with
 * *reason and *about (an argument, or NULL) filled: both to be shown. */
int connect_options_read(struct connect_options *out, int argc, char **argv, bool config,
                         const char **reason, const char **about);

#endif
