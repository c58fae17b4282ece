#include "worker/key_list.h"

#include "shared/digest.h"
#include "shared/jose_key.h"
#include "shared/key_record.h"

#include <errno.h>
#include <stdlib.h>

enum { KEY_LIST_STOP = 1 }; /* a visit's result: the list is full */

struct key_list {
    size_t count;
    struct {
        struct jose_key *key; /* owned */
        char thumbprint[DIGEST_HEX_SIZE];
        int64_t good_until;
    } keys[CATALOG_KEYS_MAX];
};

struct key_list_reading {
    struct key_list *list; /* NULL until a key was found */
    struct slice kid;
};

static int key_list_visit(void *context, struct slice key, struct slice value)
{
    struct key_list_reading *reading = context;
    struct key_list *list = reading->list;
    struct key_record record;
    struct jose_key *prepared;
    int error = key_record_decode(value, &record);

    (void)key;
    if (error != 0)
        return error;
    if (record.thumbprint.size != DIGEST_HEX_SIZE)
        return -EBADMSG;
    /* A kid's key part may be a digest; the record says which it is. */
    if (reading->kid.size > 0 && !slice_equal(record.kid, reading->kid))
        return 0;
    if (jose_key_from_der(&prepared, record.der, record.algorithms) != 0)
        return 0;
    if (list == NULL)
        list = reading->list = calloc(1, sizeof(*list));
    if (list == NULL) {
        jose_key_free(prepared);
        return -ENOMEM;
    }
    list->keys[list->count].key = prepared;
    list->keys[list->count].good_until = record.good_until;
    memcpy(list->keys[list->count].thumbprint, record.thumbprint.data, DIGEST_HEX_SIZE);
    list->count++;
    return list->count == CATALOG_KEYS_MAX ? KEY_LIST_STOP : 0;
}

int key_list_read(struct key_list **out, struct store *config_store, struct slice config,
                  struct slice kid)
{
    struct key_list_reading reading = {.kid = kid};
    struct store_key key;
    int error;

    *out = NULL;
    store_key_of(&key, config);
    if (kid.size > 0)
        store_key_part(&key, kid);
    store_key_plain(&key, "");
    if (key.impossible)
        return 0;
    error = store_scan(config_store, STORE_KEYS, store_key_slice(&key), slice_make(NULL, 0),
                       key_list_visit, &reading);
    if (error < 0) {
        key_list_free(reading.list);
        return error;
    }
    *out = reading.list;
    return 0;
}

void key_list_free(struct key_list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++)
        jose_key_free(list->keys[i].key);
    free(list);
}

size_t key_list_current(const struct key_list *list, int64_t now, struct jose_key **keys,
                        struct slice *thumbprints, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count && count < max; i++) {
        if (list->keys[i].good_until != 0 && list->keys[i].good_until <= now)
            continue;
        keys[count] = list->keys[i].key;
        thumbprints[count] = slice_make(list->keys[i].thumbprint, DIGEST_HEX_SIZE);
        count++;
    }
    return count;
}
