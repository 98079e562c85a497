import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * A second server that speaks MongoDB's protocol, in memory, for the contract suites.
 * Usage: java -cp 'LIB/*:CLASSES' MongoJava PORT; listens on 127.0.0.1, says so in one line, and ends with the process.
 */
public final class MongoJava {
    /** The driver refuses servers below wire version 9, and none of the versions that the library names has it. */
    private record Claimed(List<Integer> getVersionArray, int getWireVersion) implements MongoVersion {
        @Override
        public String toVersionString() {
            return "4.4.0";
        }
    }

    public static void main(String[] arguments) {
        var backend = new MemoryBackend().version(new Claimed(List.of(4, 4, 0), 9));
        var server = new MongoServer(backend);
        server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
        System.out.println("listening on " + server.getConnectionString());
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }
}
