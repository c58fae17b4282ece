#include "conf/candidate.h"

#include "conf/app_candidate.h"
#include "conf/auth_config_candidate.h"
#include "conf/lock_candidate.h"
#include "conf/role_candidate.h"

#include <errno.h>

int candidate_set(struct registry_slot *slot, const void *record, struct document_record *origin,
                  const struct document *document)
{
    int status;

    origin->name = document->name;
    origin->place = document->place;
    origin->good_place = document->place;
    origin->good_hash = document->hash;
    origin->warning = slice_from(slot->warning);
    if (slot->kind == DOCUMENT_APP) {
        memcpy(origin->parts, document->app.parts, sizeof(origin->parts));
        origin->part_count = document->app.part_count;
    }
    status = registry_entry_make(slot->kind, record, origin, &slot->next);
    if (status == -EMSGSIZE) {
        registry_refuse(slot, "too large to be published");
        return 0;
    }
    if (status == 0)
        slot->change = REGISTRY_REPLACED;
    return status;
}

int candidate_stage(struct registry_slot *slot, const struct document *document,
                    const struct candidate_context *context)
{
    switch (document->kind) {
    case DOCUMENT_APP:
        return app_candidate_stage(slot, document, context);
    case DOCUMENT_AUTH_CONFIG:
        return auth_config_candidate_stage(slot, document, context);
    case DOCUMENT_LOCK:
        return lock_candidate_stage(slot, document);
    case DOCUMENT_ROLE:
        return role_candidate_stage(slot, document);
    default:
        return 0;
    }
}

int candidate_write(struct registry_slot *slot, struct store *store,
                    struct publication *publication)
{
    switch (slot->kind) {
    case DOCUMENT_APP:
        return app_candidate_write(slot, publication);
    case DOCUMENT_AUTH_CONFIG:
        return auth_config_candidate_write(slot, store, publication);
    case DOCUMENT_ROLE:
        return role_candidate_write(slot, publication);
    case DOCUMENT_LOCK:
        return lock_candidate_write(slot, publication);
    default:
        return 0;
    }
}
