// Package webhooks is the plugin Webhooks1.2: it tells a game's web service what
// happens in rooms, by HTTP POSTs of JSON, lets the service refuse creates and
// joins, and saves and loads rooms there (plugins.md 11, loadbalancing-webhooks.md
// 2, 3; docs/webhooks.md).
//
// It uses package plugin alone, and so is an example, too.
package webhooks
