/* ticket.h: the keys of TLS session tickets, made and renewed by master (RFC 5077, 5.5).
 *
 * Shared by all workers, so that a client resumes with any of them, and renewed, so that a key that
 * leaks opens the tickets of a day and not of the whole run. Kept in memory only.
 */
#ifndef GATEHOUSE_MASTER_TICKET_H
#define GATEHOUSE_MASTER_TICKET_H

#include "shared/channel.h"

enum { TICKET_LIFE = 8 * 60 * 60 * 1000 }; /* milliseconds that a key is the first one */

/* Puts a new key first; the oldest goes when there are too many. 0 or -errno (*keys unchanged). */
int ticket_renew(struct message_ticket_keys *keys);

#endif
