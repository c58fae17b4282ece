#include "conf/label_index.h"

#include <errno.h>
#include <stdlib.h>

/* A label with its value, and the apps that bear it. */
struct label_term {
    struct slice name;
    struct slice value;
    size_t next;  /* index + 1 of the next term of the bucket */
    size_t first; /* index + 1 of its newest posting */
    size_t count;
};

struct label_posting {
    struct registry_slot *app;
    size_t next; /* index + 1 */
};

void label_index_free(struct label_index *index)
{
    free(index->apps);
    free(index->terms);
    free(index->buckets);
    free(index->postings);
    memset(index, 0, sizeof(*index));
}

/* FNV-1a. Labels are the operator's: nobody else can make them collide. */
static uint64_t hash_add(uint64_t hash, struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * UINT64_C(1099511628211);
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

static size_t *index_bucket(const struct label_index *index, struct slice name, struct slice value)
{
    uint64_t hash = hash_add(hash_add(UINT64_C(14695981039346656037), name), value);

    return &index->buckets[(hash ^ hash >> 32) & (index->bucket_count - 1)];
}

static struct label_term *term_find(const struct label_index *index, struct slice name,
                                    struct slice value)
{
    size_t at = *index_bucket(index, name, value);

    while (at != 0) {
        struct label_term *term = &index->terms[at - 1];

        if (slice_equal(term->name, name) && slice_equal(term->value, value))
            return term;
        at = term->next;
    }
    return NULL;
}

static struct label_term *term_make(struct label_index *index, const struct label *label)
{
    struct label_term *term = term_find(index, label->name, label->value);
    size_t *bucket = index_bucket(index, label->name, label->value);

    if (term != NULL)
        return term;
    term = &index->terms[index->term_count++];
    *term = (struct label_term){.name = label->name, .value = label->value, .next = *bucket};
    *bucket = index->term_count;
    return term;
}

/* Room for each label of each app. */
static int index_room(struct label_index *index, size_t labels)
{
    index->bucket_count = 64;
    while (index->bucket_count < labels)
        index->bucket_count *= 2;
    index->terms = calloc(labels + 1, sizeof(*index->terms));
    index->postings = calloc(labels + 1, sizeof(*index->postings));
    index->buckets = calloc(index->bucket_count, sizeof(*index->buckets));
    return index->terms == NULL || index->postings == NULL || index->buckets == NULL ? -ENOMEM : 0;
}

static void index_fill(struct label_index *index, label_index_version version)
{
    size_t used = 0;

    for (size_t i = 0; i < index->app_count; i++) {
        const struct registry_entry *entry = version(index->apps[i]);

        for (size_t j = 0; j < entry->app.label_count; j++) {
            struct label_term *term = term_make(index, &entry->app.labels[j]);

            index->postings[used++] =
                (struct label_posting){.app = index->apps[i], .next = term->first};
            term->first = used;
            term->count++;
        }
    }
}

int label_index_make(struct label_index *index, const struct registry_list *apps,
                     label_index_version version, size_t lookups)
{
    size_t labels = 0;
    int status;

    memset(index, 0, sizeof(*index));
    if (lookups == 0)
        return 0;
    index->apps = calloc(apps->count + 1, sizeof(struct registry_slot *));
    if (index->apps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < apps->count; i++) {
        const struct registry_entry *entry = version(apps->slots[i]);

        if (entry == NULL)
            continue;
        labels += entry->app.label_count;
        index->apps[index->app_count++] = apps->slots[i];
    }
    if (lookups < LABEL_INDEX_WORTH)
        return 0;
    status = index_room(index, labels);
    if (status == 0)
        index_fill(index, version);
    return status;
}

/* How many apps bear one of the selector's labels; SIZE_MAX: any may, since it has a wildcard. */
static size_t selector_count_apps(const struct label_index *index,
                                  const struct label_selector *selector)
{
    size_t count = 0;

    if (slice_is(selector->name, "*"))
        return SIZE_MAX;
    for (size_t i = 0; i < selector->value_count; i++) {
        const struct label_term *term = term_find(index, selector->name, selector->values[i]);

        if (slice_is(selector->values[i], "*"))
            return SIZE_MAX;
        count += term == NULL ? 0 : term->count;
    }
    return count;
}

/* The selector that the fewest apps meet; NULL: none narrows them down. */
static const struct label_selector *selector_pick(const struct label_index *index,
                                                  const struct label_selector *selectors,
                                                  size_t selector_count)
{
    const struct label_selector *best = NULL;
    size_t fewest = SIZE_MAX;

    for (size_t i = 0; i < selector_count && index->terms != NULL; i++) {
        size_t count = selector_count_apps(index, &selectors[i]);

        if (count < fewest) {
            fewest = count;
            best = &selectors[i];
        }
    }
    return best;
}

int label_index_candidates(const struct label_index *index, const struct label_selector *selectors,
                           size_t selector_count, label_index_visit visit, void *context)
{
    const struct label_selector *selector = selector_pick(index, selectors, selector_count);
    int status = 0;

    for (size_t i = 0; selector == NULL && i < index->app_count && status == 0; i++)
        status = visit(context, index->apps[i]);
    for (size_t i = 0; selector != NULL && i < selector->value_count && status == 0; i++) {
        const struct label_term *term = term_find(index, selector->name, selector->values[i]);
        size_t at = term == NULL ? 0 : term->first;

        for (; at != 0 && status == 0; at = index->postings[at - 1].next)
            status = visit(context, index->postings[at - 1].app);
    }
    return status;
}
