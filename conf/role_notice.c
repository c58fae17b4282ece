#include "conf/role_notice.h"

#include "shared/log.h"

static bool is_there(struct registry *registry, struct slice role)
{
    const struct registry_slot *slot = registry_find(registry, DOCUMENT_ROLE, role, false);

    return slice_is(role, POLICY_ROLE_ACCESS) || (slot != NULL && registry_effective(slot) != NULL);
}

static bool roles_come_or_go(const struct registry *registry)
{
    const struct registry_list *roles = &registry->lists[DOCUMENT_ROLE];

    for (size_t i = 0; i < roles->count; i++)
        if (registry_changed(roles->slots[i]) &&
            (roles->slots[i]->good == NULL || roles->slots[i]->change == REGISTRY_REMOVED))
            return true;
    return false;
}

static void notice_config(struct registry *registry, const struct registry_slot *slot)
{
    struct role_mapping mapping;
    struct record_reader reader;

    role_mappings_open(&reader, registry_effective(slot)->config.role_mappings);
    while (role_mappings_next(&reader, &mapping))
        for (size_t i = 0; i < mapping.role_count; i++)
            if (!is_there(registry, mapping.roles[i]))
                log_warning("role_missing",
                            "app_auth_config %.*s: claims_to_roles: there is no role \"%.*s\": it "
                            "grants nothing",
                            (int)slot->name.size, slot->name.data, (int)mapping.roles[i].size,
                            mapping.roles[i].data);
}

void role_notice(struct registry *registry)
{
    const struct registry_list *configs = &registry->lists[DOCUMENT_AUTH_CONFIG];
    bool all = roles_come_or_go(registry);

    for (size_t i = 0; i < configs->count; i++)
        if (registry_effective(configs->slots[i]) != NULL &&
            (all || registry_changed(configs->slots[i])))
            notice_config(registry, configs->slots[i]);
}
