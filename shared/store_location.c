#include "shared/store_location.h"

#include <errno.h>
#include <stdio.h>

int store_location_of(const struct child *child, struct store_location *out)
{
    if (child->slot != STORE_CONFIG && child->slot != STORE_SESSIONS) {
        *out = (struct store_location){0};
        return -EINVAL;
    }
    return store_location_find(&child->settings, (enum store_environment)child->slot, out);
}

int store_location_find(const struct settings *settings, enum store_environment which,
                        struct store_location *out)
{
    const char *name = which == STORE_CONFIG ? "config" : "sessions";
    struct slice state = settings->state_dir;
    int length;

    *out = (struct store_location){0};
    if (state.size >= sizeof(out->state_dir))
        return -ENAMETOOLONG;
    if (state.size > 0)
        memcpy(out->state_dir, state.data, state.size);
    length = snprintf(out->directory, sizeof(out->directory), "%s/%s", out->state_dir, name);
    if (length < 0 || (size_t)length >= sizeof(out->directory))
        return -ENAMETOOLONG;
    out->options = (struct store_options){
        .directory = out->directory,
        .environment = which,
        .writable = true,
        .map_size = which == STORE_CONFIG ? settings->config_map_size : settings->session_map_size,
    };
    return 0;
}
