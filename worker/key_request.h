/* key_request.h: a worker's requests to the watcher for keys that it does not know.
 *
 * One MESSAGE_KEY_WANTED for a config and generation, whoever asks how often; again only when the
 * first stayed without any effect for `key_wait`. The watcher throttles for all workers together.
 */
#ifndef GATEHOUSE_WORKER_KEY_REQUEST_H
#define GATEHOUSE_WORKER_KEY_REQUEST_H

#include "shared/child.h"
#include "worker/name_table.h"

struct key_requests {
    struct name_table sent; /* by config; a zeroed struct is ready */
    uint64_t generation;    /* that they were sent in */
};

/* Sends when it is time to. Best effort: a full channel is tried again by the next call. */
void key_request_send(struct key_requests *requests, const struct child *child, uint64_t generation,
                      struct slice config);
void key_requests_free(struct key_requests *requests);

#endif
