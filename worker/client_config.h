/* client_config.h: an entry of a desktop client's configuration, that starts `gatehouse connect`.
 * Pure but for making relative paths absolute. Never holds a token: options only say where it is.
 */
#ifndef GATEHOUSE_WORKER_CLIENT_CONFIG_H
#define GATEHOUSE_WORKER_CLIENT_CONFIG_H

#include "shared/buffer.h"
#include "worker/connect_options.h"

/* Appends the JSON for options->client. `program`: this program's absolute path. 0, -ENOMEM, or
 * -EINVAL for a client that is not known. */
int client_config_entry(struct buffer *out, const struct connect_options *options,
                        const char *program);

#endif
