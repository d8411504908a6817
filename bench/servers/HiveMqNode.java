import com.hivemq.configuration.service.InternalConfigurations;
import com.hivemq.embedded.EmbeddedHiveMQ;
import java.nio.file.Path;

/** HiveMQ CE with the configuration in the given home folder. Without an extension that authenticates it lets nobody in unless told to. */
public final class HiveMqNode {
    public static void main(String[] args) {
        InternalConfigurations.AUTH_DENY_UNAUTHENTICATED_CONNECTIONS.set(false);
        Path home = Path.of(args[0]);
        EmbeddedHiveMQ node = EmbeddedHiveMQ.builder()
                .withConfigurationFolder(home.resolve("conf"))
                .withDataFolder(home.resolve("data"))
                .withExtensionsFolder(home.resolve("extensions"))
                .build();
        node.start().join();
    }
}
