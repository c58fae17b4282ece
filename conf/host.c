#include "conf/host.h"

#include "shared/host_record.h"

#include <errno.h>
#include <stdlib.h>

static struct slice host_of(const struct registry_entry *entry)
{
    return entry == NULL ? slice_make(NULL, 0) : entry->app.public_addr;
}

static int host_compare(const void *left, const void *right)
{
    const struct registry_slot *a = *(struct registry_slot *const *)left;
    const struct registry_slot *b = *(struct registry_slot *const *)right;
    int order = slice_compare(host_of(registry_effective(a)), host_of(registry_effective(b)));

    return order != 0 ? order : slice_compare(a->name, b->name);
}

static void host_refuse(struct registry_slot *refused, struct slice host,
                        const struct registry_slot *other)
{
    struct place place = registry_place(other);

    registry_refuse(refused, "public_addr: \"%.*s\" also belongs to app \"%.*s\" at %.*s:%u:%u",
                    (int)host.size, host.data, (int)other->name.size, other->name.data,
                    (int)place.file.size, place.file.data, place.line, place.column);
}

/* One run of apps with one address: if one of them has it already, only the others are refused. */
static void run_judge(struct registry_slot **run, size_t count, size_t *refused)
{
    struct slice host = host_of(registry_effective(run[0]));
    struct registry_slot *first = run[0];
    struct registry_slot *second = run[1];

    for (size_t i = 0; i < count; i++)
        if (!registry_changed(run[i]))
            first = run[i];
    if (first == second)
        second = run[0];
    for (size_t i = 0; i < count; i++) {
        if (!registry_changed(run[i]))
            continue;
        host_refuse(run[i], host, run[i] == first ? second : first);
        *refused += 1;
    }
}

int host_judge(struct registry *registry, size_t *refused)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    struct registry_slot **held = calloc(apps->count + 1, sizeof(*held));
    size_t count = 0;
    size_t end;

    if (held == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < apps->count; i++)
        if (host_of(registry_effective(apps->slots[i])).size > 0)
            held[count++] = apps->slots[i];
    qsort(held, count, sizeof(struct registry_slot *), host_compare);
    for (size_t start = 0; start < count; start = end) {
        struct slice host = host_of(registry_effective(held[start]));

        end = start + 1;
        while (end < count && slice_equal(host, host_of(registry_effective(held[end]))))
            end++;
        if (end - start > 1)
            run_judge(held + start, end - start, refused);
    }
    free(held);
    return 0;
}

static int host_put(const struct registry_slot *app, struct publication *publication)
{
    struct buffer bytes = {0};
    struct store_key key;
    int status = host_record_encode(app->name, &bytes);

    store_key_of(&key, host_of(registry_effective(app)));
    if (status == 0)
        status = publication_put(publication, STORE_HOSTS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

int host_write(struct registry *registry, struct publication *publication)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    int status = 0;

    for (size_t i = 0; i < apps->count && status == 0; i++) {
        const struct registry_slot *slot = apps->slots[i];
        struct store_key key;

        if (!registry_changed(slot) || host_of(slot->good).size == 0)
            continue;
        store_key_of(&key, host_of(slot->good));
        status = publication_delete(publication, STORE_HOSTS, &key);
    }
    for (size_t i = 0; i < apps->count && status == 0; i++)
        if (registry_changed(apps->slots[i]) &&
            host_of(registry_effective(apps->slots[i])).size > 0)
            status = host_put(apps->slots[i], publication);
    return status;
}
