/* roles.h: the entries of what meets strangers. Each returns the exit status. */
#ifndef GATEHOUSE_WORKER_ROLES_H
#define GATEHOUSE_WORKER_ROLES_H

#include <stdbool.h>

/* Serves clients until drained. */
int worker_main(int argc, char **argv);
/* Owns the pipes of stdio servers; to workers it is one more Streamable HTTP endpoint. */
int bridge_main(int argc, char **argv);
/* `gatehouse demo-server [--listen 127.0.0.1:PORT | --stdio]`: a small MCP server, both eras. */
int demo_server_main(int argc, char **argv);
/* `gatehouse connect URL`: a stdio MCP server for desktop clients, that speaks to the gate. */
int connect_main(int argc, char **argv);
/* `gatehouse client-config --client C URL`: what such a client's configuration says to start it. */
int client_config_main(int argc, char **argv);

struct store;

/* `gatehouse explain`: what the gate would answer to a token's calls, and by which rule: the same
 * judgement of the token, the same policy set, the same evaluator, on a config environment that was
 * opened read-only. Never prints the token; writes nothing, asks for no key, makes no session. All
 * texts are NUL-terminated. */
struct explain_request {
    struct store *config;   /* borrowed, in a turn */
    struct store *sessions; /* borrowed, in a turn, or NULL: a session of the token counts then */
    const char *app;
    const char *token;
    const char *tool, *prompt, *resource; /* one of them, unless `batch` */
    const char *arguments;                /* of the tool: JSON text, or NULL */
    const char *batch; /* lines of {"tool": ..., "arguments": {...}}, "prompt" or "resource" */
    bool json;
};

/* Prints on standard output. 0: allowed (a batch: all was said); 1: denied, or the token is
 * refused; 2: it cannot be said. */
int explain_run(const struct explain_request *request);

#endif
