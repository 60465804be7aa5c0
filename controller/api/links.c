#include "controller/api/api.h"

#include "controller/status/trace.h"
#include "schema/base/mem.h"

void api_document(const struct api *api, const struct http_request *request, const char *rest,
                  struct http_response *response)
{
    const struct model *model = api->view.model;
    const struct model_link *link = model_link_by_name(model, rest);
    struct sync_document document = {0};
    STRBUF_AUTO text = STRBUF_INIT;

    (void)request;
    if (!link || !model->cell.spec) {
        http_response_error(response, 404, "no Link \"%s\" is in force", rest);
        return;
    }
    document_make(model, link, &document);
    document_print(&document, &text);
    document_clear(&document);
    api_reply(response, json_loadb(text.text, text.len, 0, NULL));
}

void api_trace(const struct api *api, const struct http_request *request, const char *rest,
               struct http_response *response)
{
    STRBUF_AUTO name = STRBUF_INIT;
    STRBUF_AUTO to = STRBUF_INIT;
    struct ip destination;

    (void)rest;
    if (!http_query(request, "peer", &name) || !http_query(request, "to", &to)) {
        http_response_error(response, 400, "say ?peer=NAME&to=ADDRESS");
        return;
    }
    const struct model_peer *peer = model_peer_by_name(api->view.model, name.text);
    if (!peer)
        http_response_error(response, 404, "no Peer \"%s\" is in force", name.text);
    else if (ip_parse(to.text, &destination) < 0)
        http_response_error(response, 400, "\"%s\" is no IPv4 or IPv6 address", to.text);
    else
        api_reply(response, trace_json(&api->view, peer, &destination));
}
