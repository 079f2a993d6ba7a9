// Command bench measures the framework against what people write by hand, in the
// same run, and says whether the promises of docs/benchmarks.md hold.
//
// The receiver is a second process, so that its cost is not taken for ours. What
// is compared runs in many short slices that take turns, and what is judged is
// the median of the paired ratios with its 95 % interval: rates of a shared
// machine drift, ratios within a run much less. The same reference measured twice
// (A/A) tells how far a ratio can be trusted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

type settings struct {
	rounds   int           // slices of each contestant in the rate benchmark
	slice    int           // messages in a slice
	latency  int           // slices of a second in the latency benchmark
	waiting  int           // messages in the memory and replay benchmarks
	pending  int           // messages in the backlog benchmark
	keys     int           // ordering keys of its messages; 0: they have none
	sessions int           // sockets in the sessions benchmark
	only     []string      // names of the benchmarks to run; none: all
	amqp     string        // address of a broker for the AMQP benchmark
	idle     time.Duration // how long idle CPU time is measured
	dir      string        // on the disk that durable stores are measured on
	profile  string        // of the CPU, to be written to this file
	json     bool
}

func main() {
	var s settings
	part := flag.String("backlog", "", "be a `part` of the backlog benchmark (the benchmark starts it itself)")
	flag.IntVar(&s.pending, "pending", 1_000_000, "messages in the backlog benchmark")
	flag.IntVar(&s.keys, "keys", 0, "ordering keys in a part of the backlog benchmark (the benchmark says it itself)")
	peer := flag.Bool("peer", false, "be the peers of the inbound benchmarks (the benchmark starts it itself)")
	flag.IntVar(&s.sessions, "sessions", 10_000, "sockets in the sessions benchmark")
	sink := flag.Bool("sink", false, "be the receiver (the benchmark starts it itself)")
	flag.IntVar(&s.rounds, "rounds", 40, "slices of each contestant")
	flag.IntVar(&s.slice, "slice", 5000, "messages in a slice")
	flag.IntVar(&s.latency, "latency", 15, "latency slices of each contestant, one second each")
	flag.IntVar(&s.waiting, "waiting", 100_000, "messages in the memory and replay benchmarks")
	flag.DurationVar(&s.idle, "idle", 3*time.Second, "how long idle CPU time is measured")
	flag.Func("only", "run only the benchmarks of these `names`, parted by commas: "+names(), func(list string) (err error) {
		s.only, err = readNames(list)
		return err
	})
	flag.StringVar(&s.amqp, "amqp", "", "compare AMQP at the node q of the broker at this `host:port` (default a peer in another process)")
	flag.StringVar(&s.dir, "dir", "", "make durable stores in this `directory` (default the one for temporary files)")
	flag.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of it all to this `file`")
	flag.BoolVar(&s.json, "json", false, "print the results as JSON")
	flag.Parse()
	os.Exit(exitCode(start(*sink, *peer, *part, s)))
}

func start(sink, peer bool, part string, s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if sink {
		return runSink(ctx)
	}
	if peer {
		return runPeer(ctx)
	}
	if part != "" {
		return runBacklog(ctx, part, s)
	}
	if s.profile == "" {
		return run(ctx, s, os.Stdout)
	}
	file, err := os.Create(s.profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run(ctx, s, os.Stdout)
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// benchmark measures one thing and reports its figures.
type benchmark struct {
	name string
	run  func(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error)
}

var benchmarks = []benchmark{
	{"rate", benchRate},
	{"latency", benchLatency},
	{"memory", benchMemory},
	{"blackhole", benchBlackHole},
	{"ws", benchWS},
	{"enqueue", benchEnqueue},
	{"durable", benchDurable},
	{"single", benchSingle},
	{"purge", benchPurge},
	{"replay", benchReplay},
	{"backlog", benchBacklog},
	{"amqp", benchAMQP},
	{"inbound", benchInbound},
	{"sessions", benchSessions},
	{"formats", benchFormats},
	{"serializers", benchSerializers},
}

// names lists all benchmarks.
func names() string {
	all := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		all[i] = b.name
	}
	return strings.Join(all, ", ")
}

// readNames takes names of benchmarks, parted by commas.
func readNames(list string) ([]string, error) {
	only := strings.Split(list, ",")
	for _, name := range only {
		if !slices.ContainsFunc(benchmarks, func(b benchmark) bool { return b.name == name }) {
			return nil, fmt.Errorf("%q is unknown: want %s", name, names())
		}
	}
	return only, nil
}

func run(ctx context.Context, s settings, out io.Writer) error {
	sink, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer sink.stop()
	var all []figure
	progress(s, out, "%s, %d CPUs, load %s", runtime.Version(), runtime.NumCPU(), loadAverage())
	for _, b := range benchmarks {
		if len(s.only) > 0 && !slices.Contains(s.only, b.name) {
			continue
		}
		progress(s, out, "\n%s", b.name)
		figures, err := b.run(ctx, s, sink)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		for _, f := range figures {
			progress(s, out, "  %s", f)
		}
		all = append(all, figures...)
	}
	if s.json {
		if err := json.NewEncoder(out).Encode(all); err != nil {
			return err
		}
	}
	return judge(all)
}

func progress(s settings, out io.Writer, format string, args ...any) {
	if !s.json {
		fmt.Fprintf(out, format+"\n", args...)
	}
}

// judge fails when a promise does not hold.
func judge(figures []figure) error {
	var broken []string
	for _, f := range figures {
		if f.Verdict == missed {
			broken = append(broken, f.Name)
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("not as promised: %s", strings.Join(broken, "; "))
	}
	return nil
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}
