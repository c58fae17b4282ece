/* resolver.h: names of upstream hosts, followed by their time to live. The only file that knows
 * <ares.h>.
 *
 * Called by the watcher. Numeric hosts and localhost are known at once. Others are asked for (the
 * hosts file, then DNS, A and AAAA), asked again when their time is over, and keep their last good
 * addresses while the answer is an error. Never blocks on the network.
 */
#ifndef GATEHOUSE_CONF_RESOLVER_H
#define GATEHOUSE_CONF_RESOLVER_H

#include "shared/slice.h"

enum { RESOLVER_TTL_MIN = 30, RESOLVER_TTL_MAX = 300, RESOLVER_RETRY = 5 }; /* seconds */

struct ev_loop;
struct resolver;

/* Some host's addresses changed. */
typedef void (*resolver_changed)(void *context);

int resolver_open(struct resolver **out, struct ev_loop *loop, resolver_changed changed,
                  void *context);
void resolver_close(struct resolver *resolver); /* NULL is ignored */

/* Follows exactly these hosts from now on: new ones are asked for, others are forgotten. Sorts
 * `hosts`. 0 or -ENOMEM. */
int resolver_follow(struct resolver *resolver, struct slice *hosts, size_t count);

/* What is known now: the count of addresses as text; borrowed until the loop runs on. Fits
 * candidate_addresses; the context is the resolver. */
size_t resolver_addresses(void *resolver, struct slice host, struct slice *out, size_t max);

/* Whether every host that is followed had an answer, or a refusal, at least once. */
bool resolver_settled(const struct resolver *resolver);

#endif
