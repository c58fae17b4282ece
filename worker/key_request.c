#include "worker/key_request.h"

#include "shared/clock.h"

#include <stdlib.h>

struct key_request {
    int64_t sent; /* monotonic milliseconds */
};

void key_request_send(struct key_requests *requests, const struct child *child, uint64_t generation,
                      struct slice config)
{
    int64_t now = clock_monotonic_milliseconds();
    struct key_request *request;

    if (requests->generation != generation)
        key_requests_free(requests);
    requests->generation = generation;
    request = name_table_find(&requests->sent, config);
    if (request != NULL && now - request->sent < (int64_t)child->settings.limits.key_wait)
        return;
    if (channel_send(child->channel, MESSAGE_KEY_WANTED, config, NULL, 0) != 0)
        return;
    if (request == NULL) {
        request = malloc(sizeof(*request));
        if (request == NULL || name_table_put(&requests->sent, config, request) != 0) {
            free(request);
            return;
        }
    }
    request->sent = now;
}

void key_requests_free(struct key_requests *requests)
{
    name_table_clear(&requests->sent, free);
}
