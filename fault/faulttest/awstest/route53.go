package awstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Route53 are the simulated hosted zones and health checks.
type Route53 struct {
	mu      sync.Mutex
	zones   map[string]*zone
	checks  map[string]*check
	changes map[string]time.Time
	took    time.Duration
}

type zone struct {
	name    string
	private bool
	records []map[string]any
	tags    map[string]string
}

type check struct {
	config  map[string]any
	version int64
	tags    map[string]string
}

func newRoute53() *Route53 {
	return &Route53{zones: map[string]*zone{}, checks: map[string]*check{}, changes: map[string]time.Time{}, took: 30 * time.Millisecond}
}

// Took says how long a change takes to be in sync from now on.
func (r *Route53) Took(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = d
}

// Zone adds a hosted zone with records, given as the model has them.
func (r *Route53) Zone(id, name string, private bool, records ...map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones[id] = &zone{name, private, records, map[string]string{}}
}

// Check adds a health check.
func (r *Route53) Check(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks[id] = &check{map[string]any{"Type": "HTTP", "Inverted": false, "Disabled": false, "FailureThreshold": int64(3)}, 1, map[string]string{}}
}

// Is says whether a health check has a word of its config, such as Inverted.
func (r *Route53) Is(id, word string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.checks[id]
	return c != nil && c.config[word] == true
}

// PersonSets sets a word of a health check as a person would.
func (r *Route53) PersonSets(id, word string, to any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks[id].config[word] = to
	r.checks[id].version++
}

// Drop takes a zone's records or a health check away.
func (r *Route53) Drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.checks, id)
	if z := r.zones[id]; z != nil {
		z.records = nil
	}
}

// Tags are the tags of a zone or health check.
func (r *Route53) Tags(id string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if z := r.zones[id]; z != nil {
		return z.tags
	}
	if c := r.checks[id]; c != nil {
		return c.tags
	}
	return nil
}

// Tag tags a zone or health check.
func (r *Route53) Tag(id, key, value string) { r.Tags(id)[key] = value }

// Answer are the values of a record.
func (r *Route53) Answer(zoneID, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.zones[zoneID].records {
		if rec["Name"] == name {
			return values(rec)
		}
	}
	return ""
}

// PersonWrites replaces a record as a person would.
func (r *Route53) PersonWrites(zoneID string, rec map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	z := r.zones[zoneID]
	z.records = append(slices.DeleteFunc(z.records, func(x map[string]any) bool { return recordKey(x) == recordKey(rec) }), rec)
}

func values(rec map[string]any) string {
	var out []string
	list, _ := rec["ResourceRecords"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any)["Value"].(string))
	}
	if w, ok := rec["Weight"]; ok {
		out = append(out, fmt.Sprint("weight ", w))
	}
	return strings.Join(out, " ")
}

func recordKey(rec map[string]any) string {
	id, _ := rec["SetIdentifier"].(string)
	return fmt.Sprintf("%v|%v|%s", rec["Name"], rec["Type"], id)
}

func (r *Route53) handlers() map[string]handler {
	locked := func(h handler) handler {
		return func(in map[string]any) (map[string]any, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return h(in)
		}
	}
	return map[string]handler{
		"GetHostedZone": locked(r.getZone), "ListResourceRecordSets": locked(r.list), "ChangeResourceRecordSets": locked(r.change),
		"GetChange": locked(r.getChange), "TestDNSAnswer": locked(r.answer), "GetHealthCheck": locked(r.getCheck),
		"UpdateHealthCheck": locked(r.updateCheck), "ListTagsForResource": locked(r.listTags), "ChangeTagsForResource": locked(r.changeTags),
	}
}

func (r *Route53) zone(in map[string]any, key string) (*zone, error) {
	id, _ := in[key].(string)
	if z := r.zones[id]; z != nil {
		return z, nil
	}
	return nil, fail("NoSuchHostedZone", "No hosted zone found with ID: %s", id)
}

func (r *Route53) getZone(in map[string]any) (map[string]any, error) {
	z, err := r.zone(in, "Id")
	if err != nil {
		return nil, err
	}
	return map[string]any{"HostedZone": map[string]any{
		"Id": "/hostedzone/" + in["Id"].(string), "Name": z.name, "CallerReference": "x", "Config": map[string]any{"PrivateZone": z.private},
	}}, nil
}

func (r *Route53) list(in map[string]any) (map[string]any, error) {
	z, err := r.zone(in, "HostedZoneId")
	if err != nil {
		return nil, err
	}
	name, _ := in["StartRecordName"].(string)
	from := fmt.Sprintf("%s|%v|", strings.TrimSuffix(name, ".")+".", in["StartRecordType"])
	if id, ok := in["StartRecordIdentifier"].(string); ok {
		from += id
	}
	all := slices.SortedFunc(slices.Values(z.records), func(a, b map[string]any) int { return strings.Compare(recordKey(a), recordKey(b)) })
	page := []any{}
	for _, rec := range all {
		if recordKey(rec) >= from && len(page) == 0 {
			page = append(page, rec)
		}
	}
	return map[string]any{"ResourceRecordSets": page, "IsTruncated": false, "MaxItems": "1"}, nil
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// change carries out a batch as a whole or not at all.
func (r *Route53) change(in map[string]any) (map[string]any, error) {
	z, err := r.zone(in, "HostedZoneId")
	if err != nil {
		return nil, err
	}
	records := slices.Clone(z.records)
	for _, c := range in["ChangeBatch"].(map[string]any)["Changes"].([]any) {
		one := c.(map[string]any)
		rec := one["ResourceRecordSet"].(map[string]any)
		at := slices.IndexFunc(records, func(x map[string]any) bool { return recordKey(x) == recordKey(rec) })
		switch one["Action"] {
		case "DELETE":
			if at < 0 || text(records[at]) != text(rec) {
				return nil, fail("InvalidChangeBatch", "Tried to delete resource record set [name='%v'] but the values provided do not match the current values", rec["Name"])
			}
			records = slices.Delete(records, at, at+1)
		case "CREATE":
			if at >= 0 {
				return nil, fail("InvalidChangeBatch", "Tried to create resource record set [name='%v'] but it already exists", rec["Name"])
			}
			records = append(records, rec)
		default:
			return nil, fail("InvalidInput", "%v is not simulated", one["Action"])
		}
	}
	z.records = records
	id := fmt.Sprintf("C%013d", len(r.changes))
	r.changes[id] = time.Now().Add(r.took)
	return map[string]any{"ChangeInfo": r.info(id)}, nil
}

func (r *Route53) info(id string) map[string]any {
	status := "INSYNC"
	if time.Now().Before(r.changes[id]) {
		status = "PENDING"
	}
	return map[string]any{"Id": "/change/" + id, "Status": status, "SubmittedAt": time.Now()}
}

func (r *Route53) getChange(in map[string]any) (map[string]any, error) {
	id := in["Id"].(string)
	if r.changes[id].IsZero() {
		return nil, fail("NoSuchChange", "Could not find resource with ID: %s", id)
	}
	return map[string]any{"ChangeInfo": r.info(id)}, nil
}

func (r *Route53) answer(in map[string]any) (map[string]any, error) {
	z, err := r.zone(in, "HostedZoneId")
	if err != nil {
		return nil, err
	}
	data := []any{}
	for _, rec := range z.records {
		if rec["Name"] == in["RecordName"] && rec["Type"] == in["RecordType"] {
			for _, v := range rec["ResourceRecords"].([]any) {
				data = append(data, v.(map[string]any)["Value"])
			}
		}
	}
	return map[string]any{
		"Nameserver": "ns-1.awsdns-00.net", "RecordName": in["RecordName"], "RecordType": in["RecordType"], "RecordData": data,
		"ResponseCode": "NOERROR", "Protocol": "UDP",
	}, nil
}

func (r *Route53) getCheck(in map[string]any) (map[string]any, error) {
	id := in["HealthCheckId"].(string)
	c := r.checks[id]
	if c == nil {
		return nil, fail("NoSuchHealthCheck", "A health check with id %s does not exist.", id)
	}
	return map[string]any{"HealthCheck": map[string]any{"Id": id, "CallerReference": "x", "HealthCheckConfig": c.config, "HealthCheckVersion": c.version}}, nil
}

func (r *Route53) updateCheck(in map[string]any) (map[string]any, error) {
	id := in["HealthCheckId"].(string)
	c := r.checks[id]
	if c == nil {
		return nil, fail("NoSuchHealthCheck", "A health check with id %s does not exist.", id)
	}
	if v, ok := in["HealthCheckVersion"].(int64); ok && v != c.version {
		return nil, fail("HealthCheckVersionMismatch", "The health check has version %d", c.version)
	}
	for k, v := range in {
		if k != "HealthCheckId" && k != "HealthCheckVersion" {
			c.config[k] = v
		}
	}
	c.version++
	return r.getCheck(in)
}

func (r *Route53) tags(in map[string]any) (map[string]string, error) {
	id := in["ResourceId"].(string)
	if in["ResourceType"] == "hostedzone" && r.zones[id] != nil {
		return r.zones[id].tags, nil
	}
	if in["ResourceType"] == "healthcheck" && r.checks[id] != nil {
		return r.checks[id].tags, nil
	}
	if in["ResourceType"] == "healthcheck" {
		return nil, fail("NoSuchHealthCheck", "A health check with id %s does not exist.", id)
	}
	return nil, fail("NoSuchHostedZone", "No hosted zone found with ID: %s", id)
}

func (r *Route53) listTags(in map[string]any) (map[string]any, error) {
	tags, err := r.tags(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ResourceTagSet": map[string]any{"ResourceType": in["ResourceType"], "ResourceId": in["ResourceId"], "Tags": tagList(tags)}}, nil
}

func (r *Route53) changeTags(in map[string]any) (map[string]any, error) {
	tags, err := r.tags(in)
	if err != nil {
		return nil, err
	}
	add, _ := in["AddTags"].([]any)
	for _, t := range add {
		tag := t.(map[string]any)
		if len(tags) >= 10 {
			return nil, fail("InvalidInput", "Too many tags")
		}
		tags[tag["Key"].(string)] = tag["Value"].(string)
	}
	remove, _ := in["RemoveTagKeys"].([]any)
	for _, k := range remove {
		delete(tags, k.(string))
	}
	return nil, nil
}

// Weight is the weight of a weighted record; -1 when there is none.
func (r *Route53) Weight(zoneID, id string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.zones[zoneID].records {
		if w, ok := rec["Weight"].(int64); ok && rec["SetIdentifier"] == id {
			return w
		}
	}
	return -1
}
