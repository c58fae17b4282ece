#include "worker/location.h"

#include <stdint.h>

/* Steps over a text without regard to case. */
static bool location_take(struct slice *rest, struct slice text)
{
    if (rest->size < text.size || !slice_equal_nocase(slice_make(rest->data, text.size), text))
        return false;
    *rest = slice_skip(*rest, text.size);
    return true;
}

static bool location_take_host(struct slice *rest, struct slice host)
{
    bool ipv6 = host.size > 0 && memchr(host.data, ':', host.size) != NULL;

    if (host.size == 0)
        return false;
    return !ipv6 ? location_take(rest, host)
                 : location_take(rest, slice_from("[")) && location_take(rest, host) &&
                       location_take(rest, slice_from("]"));
}

/* ":port", or none, which means the scheme's. false: another one. */
static bool location_take_port(struct slice *rest, uint16_t port, uint16_t usual)
{
    uint32_t number = 0;
    size_t digits = 0;

    if (!location_take(rest, slice_from(":")))
        return port == usual;
    while (digits < rest->size && rest->data[digits] >= '0' && rest->data[digits] <= '9' &&
           number <= UINT16_MAX)
        number = number * 10 + (uint32_t)(rest->data[digits++] - '0');
    *rest = slice_skip(*rest, digits);
    return digits == 0 ? port == usual : number == port;
}

/* Browsers drop tabs and line breaks out of a URL: with them it may say something else. */
static bool location_is_visible(struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        if ((unsigned char)value.data[i] <= ' ' || value.data[i] == 0x7f)
            return false;
    }
    return true;
}

/* Whether "//host" begins there, as RFC 3986, 4.2 reads it, and browsers read a backslash. */
static bool location_is_network_path(struct slice path)
{
    return path.size >= 2 && (path.data[1] == '/' || path.data[1] == '\\');
}

bool location_rebase(struct slice value, const struct app_endpoint *endpoint,
                     struct location *location)
{
    struct slice rest = value;

    if (!location_take(&rest, slice_from(endpoint->tls ? "https://" : "http://")) ||
        !location_take_host(&rest, endpoint->host) ||
        !location_take_port(&rest, endpoint->port, endpoint->tls ? 443 : 80) ||
        !location_is_visible(value))
        return false;
    *location = (struct location){.first = "", .rest = rest};
    if (rest.size == 0 || rest.data[0] == '?' || rest.data[0] == '#')
        location->first = "/";
    else if (rest.data[0] != '/')
        return false;
    else if (location_is_network_path(rest))
        location->first = "/.";
    return true;
}
