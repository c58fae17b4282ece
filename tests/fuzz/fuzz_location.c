/* Any Location: what is rebased is one path, which no browser takes for another host. */
#include "worker/location.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_path(struct slice value, const struct location *location)
{
    char text[4096];
    int size = snprintf(text, sizeof(text), "%s%.*s", location->first, (int)location->rest.size,
                        location->rest.data);

    check(size > 0 && text[0] == '/' && text[1] != '/' && text[1] != '\\');
    for (int i = 0; i < size; i++)
        check((unsigned char)text[i] > ' ');
    check(location->rest.data >= value.data &&
          location->rest.data + location->rest.size == value.data + value.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *host, *begin;
        uint16_t port;
        bool tls;
    } apps[] = {
        {"wiki", "http://wiki", 80, false},
        {"wiki", "https://wiki:8443", 8443, true},
        {"::1", "http://[::1]:80", 80, false},
        {"wiki", "", 80, false},
    };
    char text[1024];

    if (size == 0 || size > sizeof(text) / 2)
        return 0;
    for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
        struct app_endpoint endpoint = {
            .host = slice_from(apps[i].host), .port = apps[i].port, .tls = apps[i].tls};
        int count = snprintf(text, sizeof(text), "%s", apps[i].begin);
        struct slice value = {text, (size_t)count + size};
        struct location location;

        memcpy(text + count, data, size);
        if (location_rebase(value, &endpoint, &location))
            check_path(value, &location);
    }
    return 0;
}
