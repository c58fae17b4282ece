/* binding.h: which app auth config judges which issuer's tokens at which app, found beforehand.
 *
 * The only place where labels are matched: when a document changed, and only for the pairs of app
 * and config that the change touches. Called by the publisher. Never called for a request.
 */
#ifndef GATEHOUSE_CONF_BINDING_H
#define GATEHOUSE_CONF_BINDING_H

#include "conf/registry.h"
#include "shared/scoreboard.h"

struct binding_match {
    struct registry_slot *app;
    struct registry_slot *config;
};

struct binding_matches {
    struct binding_match *items; /* owned */
    size_t count;
    size_t capacity;
};

/* Matches what the judged changes touch, and refuses a change that would bind two configs of one
 * issuer to one app: the configs that changed, or else the app that did. Adds to *refused how many
 * it refused; matches are whole only when that stayed 0. Counts in `block`. 0, -ENOMEM or the
 * store's error. */
int binding_judge(struct registry *registry, struct publication *publication,
                  struct scoreboard_block *block, struct binding_matches *matches, size_t *refused);
void binding_matches_free(struct binding_matches *matches);

/* Replaces the bindings of what changed by the matches, and drops those of what is gone. Looks at
 * no other binding. */
int binding_write(struct registry *registry, struct store *store, struct publication *publication,
                  const struct binding_matches *matches, struct scoreboard_block *block);

/* Once, before the first binding_write: drops what is of no app and config in force. */
int binding_reconcile(struct registry *registry, struct store *store,
                      struct publication *publication);

#endif
