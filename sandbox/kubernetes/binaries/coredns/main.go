// CoreDNS with the few plugins that a cluster on one machine needs.
package main

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

// The order in which a question passes them.
func init() {
	dnsserver.Directives = []string{"ready", "errors", "cache", "kubernetes", "forward"}
}

func main() {
	coremain.Run()
}
