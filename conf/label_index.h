/* label_index.h: apps by the labels they bear, so that a selector is held against few of them.
 *
 * Made by binding.c for one judgement and freed after it. Gives candidates; whether all of a
 * selector matches is for label.h to say.
 */
#ifndef GATEHOUSE_CONF_LABEL_INDEX_H
#define GATEHOUSE_CONF_LABEL_INDEX_H

#include "conf/registry.h"

/* Making an index costs as much as holding some selectors against every app. */
enum { LABEL_INDEX_WORTH = 16 };

struct label_term;
struct label_posting;

struct label_index {
    struct registry_slot **apps; /* owned, as are the rest */
    size_t app_count;
    struct label_term *terms; /* NULL: every app is a candidate */
    size_t term_count;
    size_t *buckets; /* index + 1 of the first term; a power of two of them */
    size_t bucket_count;
    struct label_posting *postings;
};

/* The version of an app that counts; NULL: none. */
typedef const struct registry_entry *(*label_index_version)(const struct registry_slot *app);

/* Borrows the versions' labels. `lookups`: how many selectors will be looked up; for a few no index
 * is made. 0 or -ENOMEM; free it in every case. */
int label_index_make(struct label_index *index, const struct registry_list *apps,
                     label_index_version version, size_t lookups);
void label_index_free(struct label_index *index);

/* Calls `visit` for each app that may match, some perhaps twice, until it returns non-zero, which
 * is returned. */
typedef int (*label_index_visit)(void *context, struct registry_slot *app);
int label_index_candidates(const struct label_index *index, const struct label_selector *selectors,
                           size_t selector_count, label_index_visit visit, void *context);

#endif
