import java.time.OffsetDateTime;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/** W1 in Apache Flink: a keyed stream of lines, a process function with the state of each home on the heap, parallelism 1. */
public class FlinkPeer {
    static final long GAP = 9 * 3600, SPAN = 24 * 3600;

    /** A home's state. It is kept by key in the function itself, which is quicker than Flink's own state and not restartable. */
    static class Home {
        long start, last;
        String action;
        final Set<String> open = new HashSet<>();
        final Map<String, Integer> counts = new HashMap<>();
    }

    static class Split extends KeyedProcessFunction<String, String[], Tuple2<Boolean, String>> {
        private transient Map<String, Home> homes;
        private final LongCounter segments = new LongCounter(), transitions = new LongCounter();

        @Override
        public void open(OpenContext context) {
            homes = new HashMap<>();
            getRuntimeContext().addAccumulator("segments", segments);
            getRuntimeContext().addAccumulator("transitions", transitions);
        }

        @Override
        public void processElement(String[] event, Context context, Collector<Tuple2<Boolean, String>> out) {
            long time = OffsetDateTime.parse(event[1]).toEpochSecond();
            String device = event[2], action = event[3], name = device + ":" + action;
            Home home = homes.get(event[0]);
            boolean closes = home != null && action.equals("switch off") && home.open.contains(device);
            boolean begins = home == null || (time - home.last > GAP || time - home.start > SPAN) && !closes;
            String pair = "";
            if (home == null) {
                homes.put(event[0], home = new Home());
            }
            if (begins) {
                home.start = time;
                home.open.clear();
                segments.add(1);
            } else {
                pair = home.action + ">" + name;
                home.counts.merge(pair, 1, Integer::sum);
                transitions.add(1);
            }
            if (action.equals("switch on")) {
                home.open.add(device);
            } else if (action.equals("switch off")) {
                home.open.remove(device);
            }
            home.last = time;
            home.action = name;
            out.collect(Tuple2.of(begins, pair));
        }
    }

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        flink.getConfig().enableObjectReuse();
        FileSource<String> log = FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0])).build();
        flink.fromSource(log, WatermarkStrategy.noWatermarks(), "log")
            .filter(line -> !line.startsWith("home,"))
            .map(line -> line.split(",", -1)).returns(String[].class)
            .keyBy(event -> event[0])
            .process(new Split()).returns(new org.apache.flink.api.common.typeinfo.TypeHint<Tuple2<Boolean, String>>() {})
            .sinkTo(new DiscardingSink<>());
        var result = flink.execute("w1");
        System.out.println("{\"segments\": " + result.getAccumulatorResult("segments")
            + ", \"transitions\": " + result.getAccumulatorResult("transitions") + "}");
    }
}
