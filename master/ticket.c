#include "master/ticket.h"

#include <errno.h>
#include <sys/random.h>

int ticket_renew(struct message_ticket_keys *keys)
{
    struct message_ticket_keys renewed = {0};
    ssize_t size = getrandom(renewed.keys[0], sizeof(renewed.keys[0]), 0);
    uint32_t kept = keys->count < TICKET_KEYS_MAX ? keys->count : TICKET_KEYS_MAX - 1;

    if (size != (ssize_t)sizeof(renewed.keys[0]))
        return size < 0 ? -errno : -EIO;
    memcpy(renewed.keys[1], keys->keys[0], kept * sizeof(keys->keys[0]));
    renewed.count = kept + 1;
    *keys = renewed;
    explicit_bzero(&renewed, sizeof(renewed));
    return 0;
}
