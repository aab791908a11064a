package house

import (
	"net"
	"slices"
	"time"

	"github.com/assenso/assenso/services/pbx"
)

// PBXConfig says which switches ask, and where.
type PBXConfig struct {
	// Switches are those that are served; empty = this machine's, which say
	// themselves for whom they call.
	Switches []SwitchConfig `koanf:"switches"`
	// Patience is how long a switch's question may take before it is answered
	// with block.
	Patience time.Duration `koanf:"patience"`
	// FastAGI is the door for Asterisk and what is built on it.
	FastAGI FastAGIConfig `koanf:"fastagi"`
	// SIP is the door for every other switch.
	SIP SIPConfig `koanf:"sip"`
}

// SwitchConfig is a pbx.Switch in the file.
type SwitchConfig struct {
	From       []string `koanf:"from"`
	Prefix     string   `koanf:"prefix"`
	Controller string   `koanf:"controller"`
	Campaign   string   `koanf:"campaign"`
	Processor  string   `koanf:"processor"`
	Country    string   `koanf:"country"`
	CLI        string   `koanf:"cli"`
	Purpose    string   `koanf:"purpose"`
	Channel    string   `koanf:"channel"`
	Trunk      string   `koanf:"trunk"`
}

// FastAGIConfig is the FastAGI server.
type FastAGIConfig struct {
	Listen      string `koanf:"listen"`      // TCP; "" = none
	Connections int    `koanf:"connections"` // at once
}

// SIPConfig is the SIP redirect.
type SIPConfig struct {
	Listen      string   `koanf:"listen"`      // UDP and TCP; "" = none
	Trunk       string   `koanf:"trunk"`       // as pbx.RedirectOptions.Trunk
	Headers     []string `koanf:"headers"`     // as pbx.RedirectOptions.Headers
	Connections int      `koanf:"connections"` // over TCP at once
}

// defaultPBX serves nobody.
func defaultPBX() PBXConfig {
	return PBXConfig{Switches: []SwitchConfig{}, Patience: 2 * time.Second, FastAGI: FastAGIConfig{Connections: 256}, SIP: SIPConfig{Headers: []string{}, Connections: 256}}
}

// switches are the entries in the words of pbx.
func (c *PBXConfig) switches() []pbx.Switch {
	out := make([]pbx.Switch, len(c.Switches))
	for i, s := range c.Switches {
		out[i] = pbx.Switch(s)
	}
	return out
}

// maxPatience: a switch gives up on an INVITE after 32 s, and people before.
const maxPatience = 20 * time.Second

// check reports the faults of the section; only are the services that were
// named.
func (c *PBXConfig) check(only []string, fault func(format string, args ...any)) {
	if c.Patience <= 0 || c.Patience > maxPatience {
		fault("pbx.patience must be greater than zero and at most %s", maxPatience)
	}
	if c.FastAGI.Connections < 1 || c.SIP.Connections < 1 {
		fault("pbx.fastagi.connections and pbx.sip.connections must be at least 1")
	}
	for _, door := range []struct{ service, key, listen string }{
		{ServiceFastAGI, "pbx.fastagi.listen", c.FastAGI.Listen}, {ServiceSIP, "pbx.sip.listen", c.SIP.Listen},
	} {
		if door.listen == "" {
			if slices.Contains(only, door.service) {
				fault("only: %s has no address: say where it listens with %s", door.service, door.key)
			}
			continue
		}
		if host, _, err := net.SplitHostPort(door.listen); err != nil {
			fault("%s must be host:port, for example 127.0.0.1:4573", door.key)
		} else if !loopback(host) && len(c.Switches) == 0 {
			fault("%s must be a loopback address as long as no switch is listed: name them in pbx.switches, and let nobody else on their network", door.key)
		}
	}
	attendant, err := pbx.NewAttendant(pbx.Config{Switches: c.switches()})
	if err != nil {
		fault("%s", err)
		return
	}
	if c.SIP.Listen != "" {
		if _, err := pbx.NewRedirect(attendant, c.redirect()); err != nil {
			fault("%s", err)
		}
	}
}

// redirect are the settings of the SIP redirect in the words of pbx.
func (c *PBXConfig) redirect() pbx.RedirectOptions {
	return pbx.RedirectOptions{Trunk: c.SIP.Trunk, Headers: c.SIP.Headers, Connections: c.SIP.Connections}
}
