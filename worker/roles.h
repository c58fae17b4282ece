/* roles.h: the entries of what meets strangers. Each returns the exit status. */
#ifndef GATEHOUSE_WORKER_ROLES_H
#define GATEHOUSE_WORKER_ROLES_H

/* Serves clients until drained. */
int worker_main(int argc, char **argv);
/* Owns the pipes of stdio servers; to workers it is one more Streamable HTTP endpoint. */
int bridge_main(int argc, char **argv);
/* `gatehouse demo-server [--listen 127.0.0.1:PORT]`: a small MCP server, both eras. */
int demo_server_main(int argc, char **argv);

#endif
