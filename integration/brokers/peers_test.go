//go:build unix

package brokers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Where things are: what peers/install made, and what Debian's packages have.
var (
	peersFolder    = filepath.Join("..", "..", ".peers")
	rheaModule     = filepath.Join(peersFolder, "node_modules", "rhea", "package.json")
	protonProgram  = filepath.Join(peersFolder, "proton-broker")
	protonModule   = "/usr/lib/python3/dist-packages/proton/__init__.py"
	protonExample  = "/usr/share/proton/examples/python/broker.py"
	rabbitProgram  = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	epmdProgram    = "/usr/bin/epmd"
	pythonOfDebian = "/usr/bin/python3" // another may come first in PATH, without Proton
)

// rhea is npm's rhea with a script: see peers/rhea.js.
func rhea(mode ...string) kind {
	return kind{
		name:  "rhea",
		needs: []string{rheaModule},
		tls:   len(mode) > 0 && mode[0] == "tls",
		command: func(p *process) *exec.Cmd {
			cmd := command(p.t, "node", append([]string{filepath.Join("peers", "rhea.js"), strconv.Itoa(p.port)}, mode...)...)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(peersFolder, "node_modules"))
			return cmd
		},
	}
}

// protonPeer is Qpid Proton with a script: see peers/proton_peer.py.
func protonPeer() kind {
	return kind{
		name:  "Proton's peer",
		needs: []string{protonModule},
		command: func(p *process) *exec.Cmd {
			return command(p.t, pythonOfDebian, filepath.Join("peers", "proton_peer.py"), strconv.Itoa(p.port))
		},
	}
}

// protonBroker is the example broker of Proton's C++ binding.
func protonBroker() kind {
	return kind{
		name:    "Proton's C++ broker",
		needs:   []string{protonProgram},
		command: func(p *process) *exec.Cmd { return command(p.t, protonProgram, "-a", p.address()) },
	}
}

// pythonBroker is the example broker of Proton's Python binding.
func pythonBroker() kind {
	return kind{
		name:    "Proton's Python broker",
		needs:   []string{protonModule, protonExample},
		command: func(p *process) *exec.Cmd { return command(p.t, pythonOfDebian, protonExample, "-a", p.address()) },
	}
}

// rabbit is RabbitMQ 3 with its plugin for AMQP 1.0.
func rabbit() kind {
	return kind{
		name:    "RabbitMQ",
		needs:   []string{rabbitProgram, epmdProgram},
		helper:  epmd,
		command: rabbitCommand,
	}
}

// epmd is the port mapper of Erlang. RabbitMQ would start one for all of the
// machine, which stays.
func epmd(p *process) *exec.Cmd {
	return command(p.t, epmdProgram, "-address", "127.0.0.1", "-port", strconv.Itoa(p.helperPort))
}

func rabbitCommand(p *process) *exec.Cmd {
	file := func(name, content string) string {
		path := filepath.Join(p.folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
		return path
	}
	config := file("rabbitmq.conf", fmt.Sprintf(
		"listeners.tcp.1 = %s\namqp1_0.default_user = guest\namqp1_0.default_vhost = /\nlog.console = true\nlog.console.level = warning\nlog.file = false\n", p.address()))
	cmd := command(p.t, rabbitProgram)
	cmd.Env = append(os.Environ(),
		"HOME="+p.folder,
		"RABBITMQ_NODENAME=outrider"+strconv.Itoa(p.port)+"@localhost",
		"RABBITMQ_CONFIG_FILE="+config,
		"ERL_CRASH_DUMP="+filepath.Join(p.folder, "erl_crash.dump"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+file("enabled_plugins", "[rabbitmq_amqp1_0]."),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(p.folder, "data"),
		"RABBITMQ_LOG_BASE="+filepath.Join(p.folder, "log"),
		"RABBITMQ_PID_FILE="+filepath.Join(p.folder, "pid"),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(p.insidePort),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT="+strconv.Itoa(p.helperPort),
	)
	return cmd
}
