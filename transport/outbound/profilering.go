package outbound

// profileRing says whose turn it is: profiles take turns, and so do the lanes of
// one profile among themselves. A profile with ten thousand lanes delays the only
// lane of another by one turn.
type profileRing struct {
	turns    ring[*tenant] // those with a lane that can run
	count    int           // lanes in all of them
	profiles map[string]*tenant
}

// tenant is what the scheduler knows of one profile.
type tenant struct {
	id      string
	lanes   ring[*lane] // that can run
	known   int         // lanes in memory
	waiting bool        // in turns
}

// keepProfiles is how many profiles are remembered that have no lanes: it saves
// making them anew for each message where there are few messages.
const keepProfiles = 256

// join counts a lane in, and returns its profile.
func (r *profileRing) join(id string) *tenant {
	t := r.profiles[id]
	if t == nil {
		if r.profiles == nil {
			r.profiles = map[string]*tenant{}
		}
		t = &tenant{id: id}
		r.profiles[id] = t
	}
	t.known++
	return t
}

// leave counts a lane out.
func (r *profileRing) leave(t *tenant) {
	if t.known--; t.known == 0 && len(r.profiles) > keepProfiles {
		delete(r.profiles, t.id)
	}
}

// push puts a lane behind the others of its profile.
func (r *profileRing) push(l *lane) {
	l.tenant.lanes.push(l)
	r.count++
	if !l.tenant.waiting {
		l.tenant.waiting = true
		r.turns.push(l.tenant)
	}
}

// pop returns the next lane of the profile whose turn it is, nil where no lane
// can run.
func (r *profileRing) pop() *lane {
	t, ok := r.turns.pop()
	if !ok {
		return nil
	}
	l, _ := t.lanes.pop() // has one, or it were not waiting
	r.count--
	if t.waiting = t.lanes.count > 0; t.waiting {
		r.turns.push(t)
	}
	return l
}

// ring is a queue in a circular buffer.
type ring[T any] struct {
	items       []T // its length is a power of two
	head, count int
}

func (r *ring[T]) push(item T) {
	if r.count == len(r.items) {
		grown := make([]T, max(4, 2*len(r.items)))
		for i := range r.count {
			grown[i] = r.items[(r.head+i)&(len(r.items)-1)]
		}
		r.items, r.head = grown, 0
	}
	r.items[(r.head+r.count)&(len(r.items)-1)] = item
	r.count++
}

func (r *ring[T]) pop() (item T, ok bool) {
	if r.count == 0 {
		return item, false
	}
	var none T
	item, r.items[r.head] = r.items[r.head], none
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.count--
	return item, true
}
