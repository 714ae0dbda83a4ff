//! Compose files of the shapes that people deploy.

use serde_json::json;

use super::Project;

#[test]
fn a_base_file_with_a_production_file_over_it() {
    let project = Project::new(
        "version: '3.8'
services:
  backend:
    build: {context: ./backend, dockerfile: Dockerfile}
    environment:
      - DATABASE_URL=postgresql://${DB_USER}:${DB_PASSWORD}@db:5432/${DB_NAME}
    depends_on: [db]
    healthcheck:
      test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:8000/health\"]
      interval: 30s
      timeout: 10s
      retries: 3
    restart: unless-stopped
  db:
    image: postgres:13-alpine
    volumes: [postgres_data:/var/lib/postgresql/data]
    restart: unless-stopped
volumes:
  postgres_data:
",
    )
    .over(
        "docker-compose.prod.yml",
        "version: '3.8'
services:
  backend:
    environment: [ENVIRONMENT=production, DEBUG=0]
    deploy: {resources: {limits: {cpus: '1', memory: 1G}}}
",
    )
    .file(".env", "DB_USER=chat\nDB_PASSWORD='pa$word#1'\nDB_NAME=chat\n");
    assert_eq!(
        project.config("/services/backend"),
        json!({
            "build": {"context": "@/backend", "dockerfile": "Dockerfile"},
            "command": null,
            "depends_on": {"db": {"condition": "service_started", "required": true}},
            "deploy": {"resources": {"limits": {"cpus": 1, "memory": "1073741824"}}, "placement": {}},
            "entrypoint": null,
            "environment": {
                "DATABASE_URL": "postgresql://chat:pa$word#1@db:5432/chat", "DEBUG": "0", "ENVIRONMENT": "production",
            },
            "healthcheck": {
                "test": ["CMD", "curl", "-f", "http://localhost:8000/health"],
                "timeout": "10s", "interval": "30s", "retries": 3,
            },
            "networks": {"default": null},
            "restart": "unless-stopped",
        })
    );
    assert!(project.app().warnings.is_empty());
}

#[test]
fn what_config_prints_loads_to_the_same_application() {
    let project = Project::new(
        "services:
  a:
    image: ${IMAGE}
    command: [sh, -c, 'echo $$HOME: \"x\"']
    environment: {A: 'yes', B: '1', C: 'a: b', D: \"two\\nlines\", E: '', F: '#'}
    ports: ['127.0.0.1:8080:80']
    volumes: ['data:/data', './x:/x:ro']
    labels: {traefik.rule: 'Host(`a`) && Path(`/`)'}
    depends_on: {b: {condition: service_healthy}}
  b: {image: x, networks: {n: {aliases: [z]}}, healthcheck: {test: t, interval: 5s}}
volumes: {data: }
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
",
    )
    .set("IMAGE", "x:1");
    let printed = project.app().to_yaml();
    let again = Project::new(&printed.replace(&project.path().display().to_string(), "/elsewhere"));
    let expected = project.app().to_json().to_string().replace(&project.path().display().to_string(), "/elsewhere");
    assert_eq!(again.app().to_json().to_string(), expected, "{printed}");
    assert!(
        printed.starts_with("name: shop\nnetworks:\n  default:\n    name: shop_default\n    ipam: {}\n"),
        "{printed}"
    );
}
