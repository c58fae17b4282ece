/* registry.h: the last good version of every document, in memory, by kind and name; and, while a
 * change is judged, the version that is to follow.
 *
 * Filled from the store at start, so that what was published survives a restart; changed only by
 * the publisher. What is `good` here is what the store holds. Never reads a file.
 */
#ifndef GATEHOUSE_CONF_REGISTRY_H
#define GATEHOUSE_CONF_REGISTRY_H

#include "conf/document_record.h"
#include "conf/key_set.h"
#include "conf/publication.h"

enum { REGISTRY_REASON_MAX = 1536 }; /* bytes of a refusal's reason; longer ones are cut */

/* One version; owns all its bytes. */
struct registry_entry {
    struct document_record origin;
    union {
        struct app_record app;
        struct auth_config_record config;
        struct revocation_record lock; /* empty when it was loaded: origin.revocation is its key */
        struct role_sides role;
    };
    char *memory;
    void *selectors;
    void *sides[2]; /* of a role */
};

enum registry_change {
    REGISTRY_KEPT,
    REGISTRY_REPLACED, /* by `next` */
    REGISTRY_REMOVED,
    REGISTRY_REFUSED, /* `good` stays, if there is one */
};

struct registry_slot {
    enum document_kind kind;
    struct slice name;           /* owned */
    struct registry_entry *good; /* owned; NULL: never had a good version */
    struct registry_entry *next; /* owned; the version that is judged */
    enum registry_change change;
    bool seen;                       /* in the present reading */
    bool shared;                     /* by documents of one app: their files are read each time */
    const struct document *document; /* that was staged; NULL: its file was not read. Staging's */
    bool accepted;                   /* the store's status says so, of `good` where it stands */
    struct place place;  /* where the present reading has it; borrowed from the reading */
    char *reason;        /* owned; of a refusal */
    char *warning;       /* owned; of the document that is read, or NULL */
    struct key_set keys; /* of `next`, when its keys are static */
};

struct registry_list {
    struct registry_slot **slots; /* sorted by name */
    size_t count;
    size_t capacity;
};

struct registry {
    struct registry_list lists[DOCUMENT_LOCK + 1];
};

/* Copies the record (struct app_record, auth_config_record, role_sides, revocation_record, or NULL
 * for none)
 * and its origin. 0; -EMSGSIZE when one is too large to be published; -ENOMEM. */
int registry_entry_make(enum document_kind kind, const void *record,
                        const struct document_record *origin, struct registry_entry **out);
void registry_entry_free(struct registry_entry *entry);

/* The slot of a name, made when `make`. NULL: none, or no memory. */
struct registry_slot *registry_find(struct registry *registry, enum document_kind kind,
                                    struct slice name, bool make);

/* What will be in force when the change is accepted as it is judged now; NULL: nothing. */
static inline struct registry_entry *registry_effective(const struct registry_slot *slot)
{
    if (slot->change == REGISTRY_REPLACED)
        return slot->next;
    return slot->change == REGISTRY_REMOVED ? NULL : slot->good;
}

static inline bool registry_changed(const struct registry_slot *slot)
{
    return slot->change == REGISTRY_REPLACED || slot->change == REGISTRY_REMOVED;
}

/* One version of a slot, for walks over slots that want one or another; NULL: there is none. */
const struct registry_entry *registry_version_effective(const struct registry_slot *slot);
/* registry_effective, of a slot that changes. */
const struct registry_entry *registry_version_next(const struct registry_slot *slot);
const struct registry_entry *registry_version_good(const struct registry_slot *slot);

/* Refuses a change, unless it was refused already. The entry that was to follow is dropped only by
 * registry_settle, so that the reason may name it. */
void registry_refuse(struct registry_slot *slot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where the document stands in the present reading, or stood when it was last good. */
struct place registry_place(const struct registry_slot *slot);

/* Makes what was judged the new state; forgets names that have neither version nor document. */
void registry_settle(struct registry *registry);

/* Fills an empty registry with what was published. 0, or the store's error, -ENOMEM. A record that
 * cannot be read is left out: its document is then new. */
int registry_load(struct registry *registry, struct store *store, struct publication *publication);
void registry_free(struct registry *registry);

#endif
