/* publisher.h: from what the files, the network and the resolver say to what the store holds.
 *
 * The watcher's heart, without a loop: each function is one change, judged against what was there,
 * written as one transaction (or none), and only then taken into memory and shown on the public
 * scoreboard. Never reads the network, never waits.
 *
 * All return 1 when a transaction was committed, 0 when nothing differed, or the store's error,
 * -ENOMEM: memory may then be ahead of the store, so the caller must end the process.
 */
#ifndef GATEHOUSE_CONF_PUBLISHER_H
#define GATEHOUSE_CONF_PUBLISHER_H

#include "conf/candidate.h"
#include "conf/reading.h"
#include "conf/registry.h"
#include "shared/scoreboard.h"

struct publisher {
    struct store *store;              /* borrowed */
    struct scoreboard_public *public; /* borrowed */
    struct scoreboard_block *block;   /* borrowed */
    candidate_addresses addresses;
    void *addresses_context;
    struct registry registry;
    struct publication_numbers numbers; /* of the last commit */
    char *public_addr;                  /* owned; of the last reading */
    bool unread;                        /* the last reading passed over a file that it needs */
};

/* Loads what was published before. The fields above `registry` are filled by the caller. */
int publisher_open(struct publisher *publisher);
void publisher_close(struct publisher *publisher);

/* Ends a publication that the caller began: writes it, then shows it on the scoreboard. */
int publisher_commit(struct publisher *publisher, struct publication *publication);

/* Judges a whole reading of the documents, and settles it. `public_addr` fills {{app.resource}}. */
int publisher_apply(struct publisher *publisher, struct reading *reading, struct slice public_addr);

/* Outcomes for configs that are gone, or static now, are passed over. */
int publisher_fetched(struct publisher *publisher, const struct key_set_outcome *outcomes,
                      size_t count);

/* Asks `addresses` again for every endpoint. No answer keeps what was known. */
int publisher_readdress(struct publisher *publisher);

#endif
